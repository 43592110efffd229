// attendErrors.node.test.ts: every bad input, option and output of `gqa attend` is refused, and the output is as before.
import { constants } from 'node:buffer';
import { linkSync, readdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { openGpu } from '#gpu';
import { writeSafetensors, type TensorData } from '../../src/checkpoint/format/file.ts';
import {
  tensorByteLength,
  type SafetensorsDtype,
  serializeHeader,
} from '../../src/checkpoint/format/safetensors.ts';
import { attendFolder, gqaAttend, type Outcome } from './gqaAttend.ts';

const { folder, input, output } = attendFolder();

const D = 64;

/** Zeros of a shape: what bad inputs hold is never looked at. */
function zeros(name: string, shape: number[], dtype: SafetensorsDtype = 'F32'): TensorData {
  return { name, dtype, shape, data: new Uint8Array(tensorByteLength(dtype, shape)) };
}

const Q = zeros('q', [2, 8, 1, D]);
const K = zeros('k', [2, 2, 9, D]);
const V = zeros('v', [2, 2, 9, D]);

function lens(...values: number[]): TensorData {
  return { name: 'kv_lens', dtype: 'I32', shape: [values.length], data: Int32Array.from(values) };
}

function withNaN({ shape, ...rest }: TensorData, at: number): TensorData {
  const data = new Float32Array(shape.reduce((n, size) => n * size, 1));
  data[at] = NaN;
  return { ...rest, shape, data };
}

async function expectUntouched(run: () => Promise<Outcome>): Promise<Outcome> {
  writeFileSync(output, 'as before');
  const files = readdirSync(folder);
  const outcome = await run();
  expect(readFileSync(output, 'utf8')).toBe('as before');
  expect(readdirSync(folder)).toEqual(files);
  expect(outcome.out).toBe('');
  return outcome;
}

describe('bad input leaves the output as it was', () => {
  test.each<[string, TensorData[], string]>([
    ['no k', [Q, V], '"k": expected F32, F16, BF16 [B, Hkv, T, D]; not in the file, which has "q", "v"'],
    ['no tensors', [], '"q": expected F32, F16, BF16 [B, Hq, Lq, D]; not in the file, which has no tensors'],
    [
      'rank 3',
      [zeros('q', [8, 1, D]), K, V],
      '"q": expected F32, F16, BF16 [B, Hq, Lq, D]; got F32 [8, 1, 64]',
    ],
    ['F64', [zeros('q', [2, 8, 1, D], 'F64'), K, V], '[B, Hq, Lq, D]; got F64 [2, 8, 1, 64]'],
    [
      'integers',
      [Q, K, zeros('v', [2, 2, 9, D], 'I32')],
      '"v": expected F32, F16, BF16 [B, Hkv, T, Dv]; got I32 [',
    ],
    [
      'B differs',
      [Q, zeros('k', [3, 2, 9, D]), V],
      '"k": expected [2, Hkv, T, 64], because q is [2, 8, 1, 64]; got [3, ',
    ],
    [
      'D differs',
      [Q, zeros('k', [2, 2, 9, 80]), V],
      '"k": expected [2, Hkv, T, 64], because q is [2, 8, 1, 64]; got [2, 2, 9, 80]',
    ],
    [
      'T differs',
      [Q, K, zeros('v', [2, 2, 8, D])],
      '"v": expected [2, 2, 9, Dv], because k is [2, 2, 9, 64]; got [2, 2, 8, 64]',
    ],
    [
      'Hkv of v',
      [Q, K, zeros('v', [2, 1, 9, D])],
      '"v": expected [2, 2, 9, Dv], because k is [2, 2, 9, 64]; got [2, 1, 9, 64]',
    ],
    ['Dv 0', [Q, K, zeros('v', [2, 2, 9, 0])], '"v": Dv: expected a whole number from 1 to 512, got 0'],
    ['Hq % Hkv', [Q, zeros('k', [2, 3, 9, D]), V], '"k": Hq (8) must be a multiple of Hkv (3)'],
    ['D 513', [zeros('q', [2, 8, 1, 513]), K, V], '"q": D: expected a whole number from 1 to 512, got 513'],
    ['Lq 0', [zeros('q', [2, 8, 0, D]), K, V], '"q": Lq: expected a whole number from 1 to 32768, got 0'],
    ['B 0', [zeros('q', [0, 8, 1, D]), K, V], '"q": B: expected a whole number from 1 to 4096, got 0'],
    ['T 0', [Q, zeros('k', [2, 2, 0, D]), V], '"k": T: expected a positive whole number, got 0'],
    ['Hkv 0', [Q, zeros('k', [2, 0, 9, D]), V], '"k": Hkv: expected a whole number from 1 to 1024, got 0'],
    ['three lengths', [Q, K, V, lens(1, 2, 3)], 'I64, U64 [2]; got I32 [3]'],
    [
      'float lengths',
      [Q, K, V, zeros('kv_lens', [2])],
      '"kv_lens": expected one of I8, U8, I16, U16, I32, U32, I64, U64 [2]; got F32 [2]',
    ],
    [
      'length over T',
      [Q, K, V, lens(9, 10)],
      '"kv_lens": length of sequence 1: expected a whole number from 0 to 9, got 10',
    ],
    [
      'negative length',
      [Q, K, V, lens(-1, 9)],
      '"kv_lens": length of sequence 0: expected a whole number from 0 to 9, got -1',
    ],
    ['NaN in q', [withNaN(Q, D * 9 + 5), K, V], '"q": expected finite numbers, got NaN at [1, 1, 0, 5]'],
    ['NaN in v', [Q, K, withNaN(V, D * 9 + 2 * D)], '"v": expected finite numbers, got NaN at [0, 1, 2, 0]'],
  ])('%s', async (_, tensors, message) => {
    await writeSafetensors(input, tensors);
    const { error } = await expectUntouched(() => gqaAttend(input, '--out', output));
    expect(error).toContain(message);
    expect(error.startsWith(`${input}: tensor "`)).toBe(true);
  });

  test.each<[string, string[], string]>([
    [
      'element type',
      ['--kv-dtype', 'f64'],
      "argument 'f64' is invalid. Allowed choices are f32, f16, bf16, int8, int4.",
    ],
    [
      'kernel',
      ['--kernel', 'flash'],
      "argument 'flash' is invalid. Allowed choices are auto, registers, tiles, prefill, plain.",
    ],
    ['scale inf', ['--scale', 'Infinity'], 'expected a finite f32 number, got "Infinity".'],
    ['scale past f32', ['--scale', '1e39'], 'expected a finite f32 number, got "1e39".'],
    ['scale text', ['--scale', 'x'], 'expected a finite f32 number, got "x".'],
    ['scale empty', ['--scale', ''], 'expected a finite f32 number, got "".'],
    ['adapter', ['--adapter', 'no such card'], 'adapter "no such card" was asked for, but'],
    ['option', ['--kernels', 'plain'], "unknown option '--kernels'"],
  ])('bad %s', async (_, options, message) => {
    await writeSafetensors(input, [Q, K, V]);
    const { error } = await expectUntouched(() => gqaAttend(input, '--out', output, ...options));
    expect(error).toContain(message);
  });

  const MASK = ['--mask', 'm'];
  const PAST = ['--past-k', 'pk', '--past-v', 'pv'];
  test.each<[string, string[], TensorData[], string]>([
    [
      'no mask',
      MASK,
      [Q, K, V],
      '"m": expected F32, F16, BF16, BOOL that broadcasts to [B, Hq, Lq, T] = [2, 8, 1, 9]; not in',
    ],
    [
      'mask of 10 keys',
      MASK,
      [Q, K, V, zeros('m', [10])],
      '"m": expected F32, F16, BF16, BOOL that broadcasts to [B, Hq, Lq, T] = [2, 8, 1, 9]; got F32 [10]',
    ],
    ['mask of KV heads', MASK, [Q, K, V, zeros('m', [2, 1, 9])], '[2, 8, 1, 9]; got F32 [2, 1, 9]'],
    ['mask of no keys', MASK, [Q, K, V, zeros('m', [0])], '[2, 8, 1, 9]; got F32 [0]'],
    ['mask of five axes', MASK, [Q, K, V, zeros('m', [1, 1, 1, 1, 9])], '; got F32 [1, 1, 1, 1, 9]'],
    ['mask of integers', MASK, [Q, K, V, zeros('m', [9], 'I64')], '; got I64 [9]'],
    [
      'NaN in a mask',
      MASK,
      [Q, K, V, withNaN(zeros('m', [8, 1, 9]), 10)],
      '"m": expected finite numbers or -Infinity, got NaN at [0, 1, 0, 1]',
    ],
    [
      'bias of booleans',
      ['--bias', 'm'],
      [Q, K, V, zeros('m', [9], 'BOOL')],
      '"m": expected F32, F16, BF16 that broadcasts',
    ],
    ['bias of 8 keys', ['--bias', 'm'], [Q, K, V, zeros('m', [8])], '[2, 8, 1, 9]; got F32 [8]'],
    [
      'sinks of KV heads',
      ['--sink-logits', 's'],
      [Q, K, V, zeros('s', [2])],
      '"s": expected F32, F16, BF16 [8]; got F32 [2]',
    ],
    [
      'NaN in sinks',
      ['--sink-logits', 's'],
      [Q, K, V, withNaN(zeros('s', [8]), 3)],
      '"s": expected finite numbers, got NaN at [3]',
    ],
    ['lengths that are not there', ['--kv-lens', 'n'], [Q, K, V], '"n": expected one of I8,'],
    [
      'past of another head dim',
      PAST,
      [Q, K, V, zeros('pk', [2, 2, 3, 8]), zeros('pv', [2, 2, 3, D])],
      '"pk": expected [2, 2, P, 64], because k is [2, 2, 9, 64]; got [2, 2, 3, 8]',
    ],
    [
      'pasts of unlike lengths',
      PAST,
      [Q, K, V, zeros('pk', [2, 2, 3, D]), zeros('pv', [2, 2, 4, D])],
      '"pv": expected [2, 2, 3, 64], because v is [2, 2, 9, 64]; got [2, 2, 4, 64]',
    ],
    [
      'NaN in the past',
      PAST,
      [Q, K, V, withNaN(zeros('pk', [2, 2, 1, D]), 2 * D + 1), zeros('pv', [2, 2, 1, D])],
      '"pk": expected finite numbers, got NaN at [1, 0, 0, 1]',
    ],
    [
      'three axes',
      [],
      [zeros('q', [2, 1, 8]), K, V],
      'got F32 [2, 1, 8]; --heads would make it [B, Lq, Hq * D]',
    ],
    [
      'three axes that heads do not divide',
      ['--heads', '3'],
      [zeros('q', [2, 1, 8]), K, V],
      '"q": expected [B, Lq, Hq * D] with Hq 3, as --heads says; got [2, 1, 8]',
    ],
    [
      'four axes with other heads',
      ['--kv-heads', '4'],
      [Q, K, V],
      '"k": expected F32, F16, BF16 [B, Hkv, T, D] with Hkv 4, as --kv-heads says; got [2, 2, 9, 64]',
    ],
  ])('%s', async (_, options, tensors, message) => {
    await writeSafetensors(input, tensors);
    const { error } = await expectUntouched(() => gqaAttend(input, '--out', output, ...options));
    expect(error).toContain(message);
  });

  test.each<[string[], string]>([
    [['--past-k', 'k'], '--past-k: expected --past-v beside it, got none'],
    [['--past-v', 'v'], '--past-v: expected --past-k beside it, got none'],
    [
      ['--window', '4', '--no-causal'],
      '--window: expected --causal first-key or last-key beside it, got none',
    ],
    [['--alibi', '--causal', 'none'], '--alibi: expected --causal first-key or last-key beside it, got none'],
    [['--sink-tokens', '4'], '--sink-tokens: expected --window beside it, got none'],
    [['--window', '0'], 'expected a whole number from 1 to 4294967295, got "0".'],
    [['--softcap', '0'], 'expected a number from 1e-30 to 1e30, got "0".'],
    [['--page-size', '12'], 'Allowed choices are 8, 16, 32, 64, 128, 256.'],
    [['--causal', 'left'], 'Allowed choices are last-key, first-key, none.'],
    [['--scores', 'raw'], 'Allowed choices are scaled, capped, biased, weights.'],
  ])('%j', async (options, message) => {
    await writeSafetensors(input, [Q, K, V]);
    const { error } = await expectUntouched(() => gqaAttend(input, '--out', output, ...options));
    expect(error).toContain(message);
  });

  test('a truncated file and a lying header', async () => {
    await writeSafetensors(input, [Q, K, V]);
    const whole = readFileSync(input);
    writeFileSync(input, whole.subarray(0, whole.length - 4));
    const cut = await expectUntouched(() => gqaAttend(input, '--out', output));
    expect(cut.error).toContain('is it truncated?');
    writeFileSync(input, whole.toString('latin1').replace('[2,8,1,64]', '[2,8,2,64]'), 'latin1');
    const lying = await expectUntouched(() => gqaAttend(input, '--out', output));
    expect(lying.error).toContain('F32 [2, 8, 2, 64] takes 8192 bytes, but data_offsets are [0, 4096]');
  });

  test('a shape past the limits of the adapter', async () => {
    const adapter = await (await openGpu()).requestAdapter();
    // Plain attention keeps all scores: 1024 heads * 8 queries * T f32, just past one binding.
    const tokens = Math.floor(adapter!.limits.maxStorageBufferBindingSize / (1024 * 8 * 4)) + 1;
    await writeSafetensors(input, [
      zeros('q', [1, 1024, 8, D], 'F16'),
      zeros('k', [1, 1, tokens, D], 'F16'),
      zeros('v', [1, 1, tokens, D], 'F16'),
    ]);
    const { error } = await expectUntouched(() => gqaAttend(input, '--out', output, '--kernel', 'plain'));
    expect(error).toContain(`scores: maxStorageBufferBindingSize needed ${tokens * 32768}, available `);
  });
});

/** A file of zeros that takes no room on the disk. */
function writeSparse(tensors: readonly Omit<TensorData, 'data'>[]): void {
  const header = serializeHeader(tensors);
  writeFileSync(input, header);
  const data = tensors.reduce((sum, { dtype, shape }) => sum + tensorByteLength(dtype, shape), 0);
  truncateSync(input, header.byteLength + data);
}

/** Bytes that the run asks files for. */
async function bytesRead(run: () => Promise<unknown>): Promise<number> {
  const handle = await open(input);
  await handle.close();
  const read = vi.spyOn(Object.getPrototypeOf(handle) as FileHandle, 'read');
  await run();
  const asked = read.mock.calls.map((args) => (args as unknown[])[2] as number);
  read.mockRestore();
  return asked.reduce((sum, length) => sum + length, 0);
}

describe('tensors that are too large are refused by the header alone', () => {
  const large = (dtype: SafetensorsDtype, tokens: number) => {
    const spec = (name: string, shape: number[]) => ({ name, dtype, shape });
    return [spec('q', [1, 8, 1, 128]), spec('k', [1, 1, tokens, 128]), spec('v', [1, 1, tokens, 128])];
  };
  const GIB = 2 ** 30;

  test.each<[SafetensorsDtype, string]>([
    ['F32', 'f32'],
    ['F16', 'f32'],
    ['BF16', 'int4'],
  ])('%s, 5 GiB as f32, into a cache of %s', async (dtype, cache) => {
    const tokens = (5 * GIB) / (128 * 4);
    writeSparse(large(dtype, tokens));
    let error = '';
    const read = await bytesRead(async () => {
      ({ error } = await expectUntouched(() => gqaAttend(input, '--out', output, '--kv-dtype', cache)));
    });
    expect(error.startsWith(`${input}: tensor "k"`)).toBe(true);
    expect(error).toContain(`[1, 1, ${tokens}, 128] as `);
    // Later versions of Node.js have room for it; no buffer has.
    expect(error).toMatch(
      constants.MAX_LENGTH < 5 * GIB
        ? /needs 5368709120 bytes of memory in one piece, of which this Node.js has at most \d+$/
        : /K of one KV head of a sequence: maxStorageBufferBindingSize needed \d+, available \d+; in pages \(`--page-size`\) it would fit$/,
    );
    expect(read).toBeLessThan(2000);
  });

  test('more than a buffer of the adapter holds', async () => {
    const { limits } = (await (await openGpu()).requestAdapter())!;
    const most = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
    const tokens = Math.floor(most / (128 * 4)) + 1;
    writeSparse(large('F32', tokens));
    let error = '';
    const read = await bytesRead(async () => {
      ({ error } = await expectUntouched(() => gqaAttend(input, '--out', output)));
    });
    expect(error).toContain(`${input}: tensor "k" [1, 1, ${tokens}, 128] as f32`);
    expect(error).toMatch(/one piece|needed \d+, available \d+; in pages/);
    expect(read).toBeLessThan(2000);
  });
});

describe('bad output', () => {
  test('a folder in place of a file, and a file in place of a folder', async () => {
    await writeSafetensors(input, [Q, K, V]);
    const below = await gqaAttend(input, '--out', join(input, 'none', 'out'));
    expect(below.error).toContain(`"${input}" is no folder`);
    expect((await gqaAttend(input, '--out', folder)).error).toContain('expected a file, it is a folder');
    expect(readdirSync(folder)).toEqual(['in.safetensors']);
  });

  test('the input itself, under whatever name', async () => {
    await writeSafetensors(input, [Q, K, V]);
    const before = readFileSync(input);
    symlinkSync(input, join(folder, 'soft'));
    linkSync(input, join(folder, 'hard'));
    for (const name of [
      input,
      join(folder, '.', 'in.safetensors'),
      join(folder, 'soft'),
      join(folder, 'hard'),
    ]) {
      expect((await gqaAttend(input, '--out', name)).error).toContain('expected another file than the input');
    }
    expect(readFileSync(input).equals(before)).toBe(true);
  });

  test('none given, and an input that is not there', async () => {
    expect((await gqaAttend(input)).error).toContain("required option '--out <file>' not specified");
    expect((await gqaAttend(input, '--out', output)).error).toContain(
      'in.safetensors: cannot be opened: ENOENT',
    );
    expect(readdirSync(folder)).toEqual([]);
  });
});

// file.node.test.ts: safetensors files on a real disk: ranged reads, whole writes, and nothing left after a failure.

import { mkdir, mkdtemp, open, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SafetensorsFile, writeSafetensors, type TensorData } from '../../../src/checkpoint/format/file.ts';
import { CheckpointError } from '../../../src/checkpoint/format/checkpointError.ts';
import { serializeHeader } from '../../../src/checkpoint/format/safetensors.ts';

let folder = '';
let path = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gqa-safetensors-'));
  path = join(folder, 'model.safetensors');
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

const WEIGHTS: readonly TensorData[] = [
  { name: 'mask', dtype: 'BOOL', shape: [3], data: Uint8Array.of(1, 0, 1) },
  { name: 'k', dtype: 'BF16', shape: [2, 1], data: Uint16Array.of(0x3f80, 0xc000) },
  { name: 'w', dtype: 'F32', shape: [1, 2], data: Float32Array.of(0.5, -4) },
  { name: 'q', dtype: 'F16', shape: [], data: Uint16Array.of(0x3e00) },
  { name: 'none', dtype: 'F32', shape: [0, 7], data: new Float32Array(0) },
  { name: 'step', dtype: 'I64', shape: [], data: BigInt64Array.of(-2n) },
];

/** Opens the file, hands it to `use` and closes it. */
async function withFile<T>(use: (file: SafetensorsFile) => Promise<T>): Promise<T> {
  const file = await SafetensorsFile.open(path);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

/** The message of the CheckpointError that `promise` rejects with. */
async function refusal(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof CheckpointError) return error.message;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('a file written', () => {
  it('reads back the same', async () => {
    await writeSafetensors(path, WEIGHTS, { format: 'pt' });
    await withFile(async (file) => {
      expect({ ...file.header.metadata }).toEqual({ format: 'pt' });
      expect(await file.readFloat32('w')).toEqual({ shape: [1, 2], data: Float32Array.of(0.5, -4) });
      expect(await file.readFloat32('k')).toEqual({ shape: [2, 1], data: Float32Array.of(1, -2) });
      expect(await file.readFloat32('q')).toEqual({ shape: [], data: Float32Array.of(1.5) });
      expect(await file.readFloat32('none')).toEqual({ shape: [0, 7], data: new Float32Array(0) });
      expect(await file.read('mask')).toEqual(Uint8Array.of(1, 0, 1));
      expect(await file.read('step')).toEqual(Uint8Array.of(254, 255, 255, 255, 255, 255, 255, 255));
    });
    expect(await readdir(folder)).toEqual(['model.safetensors']);
  });

  it('has these bytes, wide elements first', async () => {
    await writeSafetensors(path, [WEIGHTS[0]!, WEIGHTS[1]!, WEIGHTS[2]!]);
    const header =
      '{"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"k":{"dtype":"BF16","shape":[2,1],"data_offsets":[8,12]},' +
      '"mask":{"dtype":"BOOL","shape":[3],"data_offsets":[12,15]}}';
    const padded = header.padEnd(Math.ceil(header.length / 8) * 8);
    const data = [0, 0, 0, 0x3f, 0, 0, 0x80, 0xc0, 0x80, 0x3f, 0, 0xc0, 1, 0, 1];
    const length = [padded.length, 0, 0, 0, 0, 0, 0, 0];
    expect([...(await readFile(path))]).toEqual([...length, ...new TextEncoder().encode(padded), ...data]);
  });

  it('takes the place of another', async () => {
    await writeSafetensors(path, WEIGHTS);
    await writeSafetensors(path, [{ name: 'v', dtype: 'F32', shape: [1], data: Float32Array.of(3) }]);
    expect(await withFile((file) => file.readFloat32('v'))).toEqual({ shape: [1], data: Float32Array.of(3) });
    expect(await readdir(folder)).toEqual(['model.safetensors']);
  });

  it('takes the bytes of a view, not of its whole buffer', async () => {
    const data = Float32Array.of(1, 2, 3, 4).subarray(1, 3);
    await writeSafetensors(path, [{ name: 'v', dtype: 'F32', shape: [2], data }]);
    expect((await withFile((file) => file.readFloat32('v'))).data).toEqual(Float32Array.of(2, 3));
  });
});

describe('a file read', () => {
  it('is read by range: a tensor behind 5 GiB of another', async () => {
    const header = serializeHeader([
      { name: 'big', dtype: 'U8', shape: [5, 2 ** 30] },
      { name: 'tail', dtype: 'F32', shape: [2] },
    ]);
    const tail = header.byteLength + 5 * 2 ** 30;
    const handle = await open(path, 'w');
    await handle.write(header);
    await handle.write(Float32Array.of(6, 7), 0, 8, tail);
    await handle.close();
    expect((await withFile((file) => file.readFloat32('tail'))).data).toEqual(Float32Array.of(6, 7));
  });

  it('names the tensors there are when one is missing', async () => {
    await writeSafetensors(path, WEIGHTS);
    await withFile(async (file) => {
      const message = `${path}: tensor "v": not in the file, which has "step", "w", "none", "k", "q", "mask"`;
      expect(await refusal(file.read('v'))).toBe(message);
      expect(await refusal(file.readFloat32('v'))).toBe(message);
      expect(await refusal(file.read('__proto__'))).toContain('tensor "__proto__": not in the file');
    });
  });

  it('names ten tensors at most', async () => {
    const names = Array.from({ length: 13 }, (_, i) => `t${i}`);
    await writeSafetensors(
      path,
      names.map((name) => ({ name, dtype: 'U8', shape: [1], data: new Uint8Array(1) })),
    );
    const message = await withFile((file) => refusal(file.read('x')));
    expect(message).toMatch(
      /which has "t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8", "t9" and 3 more$/,
    );
    await writeSafetensors(path, []);
    expect(await withFile((file) => refusal(file.read('x')))).toMatch(/which has no tensors$/);
  });

  it('refuses f32 of other dtypes, by file and tensor', async () => {
    await writeSafetensors(path, WEIGHTS);
    const message = await withFile((file) => refusal(file.readFloat32('step')));
    expect(message).toBe(`${path}: tensor "step": dtype I64 cannot be read as f32; F32, F16 and BF16 can`);
  });

  it('refuses a file that is missing, no file, too short or cut', async () => {
    expect(await refusal(SafetensorsFile.open(path))).toMatch(`${path}: cannot be opened: ENOENT`);
    expect(await refusal(SafetensorsFile.open(folder))).toBe(`${folder}: is not a regular file`);
    await writeFile(path, '1234567');
    expect(await refusal(SafetensorsFile.open(path))).toBe(
      `${path}: a safetensors file has at least 8 bytes, this one has 7`,
    );
    await writeFile(path, Uint8Array.of(0, 0xe1, 0xf5, 5, 0, 0, 0, 0, 0x7b, 0x7d));
    expect(await refusal(SafetensorsFile.open(path))).toBe(
      `${path}: header length 100000000 does not fit in a file of 10 bytes`,
    );
    await writeSafetensors(path, WEIGHTS);
    const whole = await readFile(path);
    await truncate(path, whole.byteLength - 1);
    expect(await refusal(SafetensorsFile.open(path))).toMatch(
      `${path}: tensor "mask": bytes 22 to 25 pass the end of the file's 24 data bytes`,
    );
    await writeFile(path, Uint8Array.of(...whole, 0));
    expect(await refusal(SafetensorsFile.open(path))).toBe(
      `${path}: 1 bytes follow the last tensor, which ends at 25`,
    );
  });

  it('says so when it was cut or closed while open', async () => {
    await writeSafetensors(path, WEIGHTS);
    const file = await SafetensorsFile.open(path);
    await truncate(path, file.header.dataStart + 24);
    expect(await refusal(file.read('mask'))).toMatch(
      /tensor "mask": the file ends at byte \d+, 1 bytes early; was it cut/,
    );
    await file.close();
    await file.close();
    expect(await refusal(file.read('w'))).toMatch(`${path}: tensor "w": cannot be read: `);
  });
});

describe('a write that fails', () => {
  const bad: readonly (readonly [string, TensorData, string])[] = [
    [
      'data too short',
      { ...WEIGHTS[2]!, data: new Float32Array(1) },
      'tensor "w": F32 [1, 2] takes 8 bytes, but its data has 4',
    ],
    [
      'data too long',
      { ...WEIGHTS[2]!, data: new Float32Array(3) },
      'tensor "w": F32 [1, 2] takes 8 bytes, but its data has 12',
    ],
    ['name twice', { ...WEIGHTS[2]!, name: 'k' }, 'tensor name "k" appears twice'],
  ];

  it.each(bad)('leaves nothing behind: %s', async (_, tensor, message) => {
    expect(await refusal(writeSafetensors(path, [WEIGHTS[1]!, tensor]))).toBe(`${path}: ${message}`);
    expect(await readdir(folder)).toEqual([]);
  });

  it.each(bad)('leaves the file that was there: %s', async (_, tensor) => {
    await writeFile(path, 'before');
    await refusal(writeSafetensors(path, [WEIGHTS[1]!, tensor]));
    expect(await readFile(path, 'utf8')).toBe('before');
    expect(await readdir(folder)).toEqual(['model.safetensors']);
  });

  it('names the target when its folder is a file', async () => {
    await writeFile(join(folder, 'no'), 'a file');
    const target = join(folder, 'no', 'model.safetensors');
    expect(await refusal(writeSafetensors(target, WEIGHTS))).toContain(
      `${target}: could not be written: "${join(folder, 'no')}" is no folder`,
    );
    expect(await readdir(folder)).toEqual(['no']);
  });

  it('removes what it wrote when the name cannot be taken', async () => {
    await mkdir(path);
    expect(await refusal(writeSafetensors(path, WEIGHTS))).toMatch(`${path}: could not be written: `);
    expect(await readdir(folder)).toEqual(['model.safetensors']);
    expect(await readdir(path)).toEqual([]);
  });

  it('removes what it wrote when data goes away meanwhile', async () => {
    await writeFile(path, 'before');
    const data = Float32Array.of(1, 2);
    const written = writeSafetensors(path, [{ name: 'w', dtype: 'F32', shape: [2], data }]);
    structuredClone(data.buffer, { transfer: [data.buffer] });
    expect(await refusal(written)).toMatch(`${path}: could not be written: `);
    expect(await readFile(path, 'utf8')).toBe('before');
    expect(await readdir(folder)).toEqual(['model.safetensors']);
  });

  // Of ES2024, which Node 20 has and the compiler's library not yet.
  const Resizable = ArrayBuffer as unknown as new (
    bytes: number,
    options: { readonly maxByteLength: number },
  ) => ArrayBuffer & { resize(bytes: number): void };

  it('removes what it wrote when data shrinks meanwhile', async () => {
    const buffer = new Resizable(8, { maxByteLength: 8 });
    const shrinking = { name: 'w', dtype: 'F32', shape: [2], data: new Float32Array(buffer) } as const;
    const written = writeSafetensors(path, [shrinking]);
    buffer.resize(4);
    const message = await refusal(written);
    expect(message).toMatch(/data changed while it was written: \d+ bytes expected, \d+ written$/);
    expect(await readdir(folder)).toEqual([]);
  });
});

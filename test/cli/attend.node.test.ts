// attend.node.test.ts: `gqa attend` gives what float64 attention gives, from tensors of every element type it reads.
import { describe, expect, test } from 'vitest';
import { normals } from '../../src/numbers/random.ts';
import { expect64, verify } from '../../src/reference/verify.ts';
import { SafetensorsFile, writeSafetensors, type TensorData } from '../../src/checkpoint/format/file.ts';
import type { SafetensorsDtype } from '../../src/checkpoint/format/safetensors.ts';
import { f16Bits, f16Value } from '../../src/numbers/halves.ts';
import { decodeRows, encodeRows } from '../../src/numbers/storedRows.ts';
import type { KvType } from '../../src/numbers/elements.ts';
import type { AttentionProblem } from '../../src/reference/attention.ts';
import { attendFolder, gqaAttend } from './gqaAttend.ts';

const { input, output } = attendFolder();

/** A tensor of f32 values stored as `dtype`, and the values that are left after rounding. */
function tensor(name: string, dtype: SafetensorsDtype, shape: number[], values: ArrayLike<number>) {
  const bits = Uint32Array.from(new Uint32Array(Float32Array.from(values).buffer));
  if (dtype === 'F16') {
    const data = Uint16Array.from(values, f16Bits);
    return { tensor: { name, dtype, shape, data }, values: Float32Array.from(data, f16Value) };
  }
  if (dtype === 'BF16') {
    // Cut, not rounded: which bf16 it is does not matter, as long as both sides see the same.
    const data = Uint16Array.from(bits, (word) => word >>> 16);
    return {
      tensor: { name, dtype, shape, data },
      values: new Float32Array(Uint32Array.from(data, (half) => half * 65536).buffer),
    };
  }
  return { tensor: { name, dtype, shape, data: bits }, values: new Float32Array(bits.buffer) };
}

interface Example extends Pick<AttentionProblem, 'batch' | 'numQHeads' | 'numKvHeads' | 'qLen' | 'capacity'> {
  readonly dtypes: readonly [SafetensorsDtype, SafetensorsDtype, SafetensorsDtype];
  readonly kvLens?: readonly number[];
  readonly headDim?: number;
  readonly vHeadDim?: number;
}

const D = 64;

/** Writes random q, k, v (and kv_lens as I64) to the input file and returns the problem they pose. */
async function writeExample({ dtypes, kvLens, ...shape }: Example): Promise<AttentionProblem> {
  const { headDim = D, vHeadDim = headDim } = shape;
  const { batch, numQHeads, numKvHeads, qLen, capacity } = shape;
  const make = (name: string, i: 0 | 1 | 2, axes: number[]) =>
    tensor(
      name,
      dtypes[i],
      axes,
      normals(
        7 + i,
        axes.reduce((n, size) => n * size, 1),
      ),
    );
  const q = make('q', 0, [batch, numQHeads, qLen, headDim]);
  const k = make('k', 1, [batch, numKvHeads, capacity, headDim]);
  const v = make('v', 2, [batch, numKvHeads, capacity, vHeadDim]);
  const tensors: TensorData[] = [q.tensor, k.tensor, v.tensor];
  if (kvLens) {
    tensors.push({ name: 'kv_lens', dtype: 'I64', shape: [batch], data: BigInt64Array.from(kvLens, BigInt) });
  }
  await writeSafetensors(input, tensors);
  return {
    ...shape,
    headDim,
    vHeadDim,
    causal: true,
    kvLens: kvLens ?? Array.from({ length: batch }, () => capacity),
    smScale: 1 / Math.sqrt(headDim),
    q: q.values,
    k: k.values,
    v: v.values,
  };
}

/** k and v as a cache of an element type holds them. */
function held(type: KvType, { k, v, batch, numKvHeads, capacity }: AttentionProblem) {
  const layout = { type, headDim: D, heads: batch * numKvHeads, capacity };
  const round = (values: Float32Array) => decodeRows(layout, encodeRows(layout, values));
  return { k: round(k), v: round(v) };
}

async function readOutput() {
  const file = await SafetensorsFile.open(output);
  try {
    const [o, lse] = [await file.readFloat32('o'), await file.readFloat32('lse')];
    return { o, lse, metadata: { ...file.header.metadata }, names: [...file.header.tensors.keys()] };
  } finally {
    await file.close();
  }
}

/** Is the output file what float64 attention says? */
async function expectRight(problem: AttentionProblem): Promise<void> {
  const { o, lse } = await readOutput();
  const { batch, numQHeads, qLen, vHeadDim } = problem;
  expect(o.shape).toEqual([batch, numQHeads, qLen, vHeadDim]);
  expect(lse.shape).toEqual([batch, numQHeads, qLen]);
  expect(verify(expect64(problem), o.data, lse.data)).toMatchObject({ pass: true });
}

const CONTROL: Example = {
  batch: 2,
  numQHeads: 8,
  numKvHeads: 2,
  qLen: 1,
  capacity: 37,
  dtypes: ['F32', 'F32', 'F32'],
};

describe('results', () => {
  test('V of another head dim than K, both small', async () => {
    const problem = await writeExample({ ...CONTROL, headDim: 24, vHeadDim: 8 });
    const { out } = await gqaAttend(input, '--out', output, '--kv-dtype', 'int8');
    expect(out).toContain('k [2, 2, 37, 24], v [2, 2, 37, 8] as int8');
    const { batch, numKvHeads, capacity } = problem;
    const round = (values: Float32Array, headDim: number) => {
      const layout = { type: 'int8', headDim, heads: batch * numKvHeads, capacity } as const;
      return decodeRows(layout, encodeRows(layout, values));
    };
    await expectRight({ ...problem, k: round(problem.k, 24), v: round(problem.v, 8) });
  });

  test('F32, groups of 4: o and lse agree with float64, metadata says how they were made', async () => {
    const problem = await writeExample(CONTROL);
    const { out, error } = await gqaAttend(input, '--out', output);
    expect(error).toBe('');
    await expectRight(problem);
    expect(out).toMatch(
      /^q \[2, 8, 1, 64\], k and v \[2, 2, 37, 64\] as f32, auto on ".+": o and lse are in .*out\.safetensors\n$/,
    );
    const { metadata, names } = await readOutput();
    expect(names.toSorted()).toEqual(['lse', 'o']);
    const { tool, adapter, ...rest } = metadata;
    expect(tool).toMatch(/^gqa-webgpu \d+\.\d+\.\d+/);
    expect(out).toContain(`on "${adapter}"`);
    expect(rest).toEqual({ kernel: 'auto', kv_dtype: 'f32', scale: '0.125', causal: 'last-key' });
  });

  test('five queries, ragged lengths with an empty sequence, F16 and BF16: rows without keys get the floor', async () => {
    const problem = await writeExample({
      ...CONTROL,
      batch: 3,
      numQHeads: 2,
      numKvHeads: 1,
      qLen: 5,
      kvLens: [37, 0, 2],
      dtypes: ['BF16', 'F16', 'BF16'],
    });
    expect((await gqaAttend(input, '--out', output)).error).toBe('');
    await expectRight(problem);
    const { lse } = await readOutput();
    // [3, 2, 5]: sequence 1 is empty; sequence 2 has two tokens, of its five queries the first three see none.
    const floor = Math.fround(-3e38);
    expect(lse.data.slice(10, 20).every((x) => x === floor)).toBe(true);
    expect(Array.from(lse.data.slice(20, 25), (x) => x === floor)).toEqual([true, true, true, false, false]);
  });

  test('--no-causal, --scale, --kernel plain and multi-head', async () => {
    const problem = await writeExample({ ...CONTROL, numQHeads: 2, qLen: 5 });
    const { error } = await gqaAttend(
      input,
      '--out',
      output,
      '--no-causal',
      '--scale',
      '-0.25',
      '--kernel',
      'plain',
    );
    expect(error).toBe('');
    await expectRight({ ...problem, causal: false, smScale: -0.25 });
    expect((await readOutput()).metadata).toMatchObject({ kernel: 'plain', scale: '-0.25', causal: 'none' });
  });

  test('--kv-dtype f16 rounds k and v, and says which values were cut', async () => {
    const problem = await writeExample(CONTROL);
    expect((await gqaAttend(input, '--out', output, '--kv-dtype', 'f16')).error).toBe('');
    await expectRight({ ...problem, ...held('f16', problem) });
    const one = Float32Array.from({ length: D }, () => 1);
    await writeSafetensors(input, [
      { name: 'q', dtype: 'F32', shape: [1, 4, 1, D], data: new Float32Array(4 * D) },
      { name: 'k', dtype: 'F32', shape: [1, 1, 1, D], data: one },
      { name: 'v', dtype: 'F32', shape: [1, 1, 1, D], data: one.with(3, 1e5).with(4, -7e4) },
    ]);
    const { err } = await gqaAttend(input, '--out', output, '--kv-dtype', 'f16');
    expect(err).toContain('warning  v: 2 values past 65504, the largest f16, were cut to it\n');
    expect((await readOutput()).o.data.slice(2, 6)).toEqual(Float32Array.of(1, 65504, -65504, 1));
  });

  test('what a type cannot hold is counted for k and v, of valid tokens alone', async () => {
    const row = (...values: number[]) =>
      Float32Array.from({ length: 3 * D }, (_, i) => (i < 2 * D ? (values[i] ?? 1) : 1e9));
    await writeSafetensors(input, [
      { name: 'q', dtype: 'F32', shape: [1, 4, 1, D], data: new Float32Array(4 * D) },
      { name: 'k', dtype: 'F32', shape: [1, 1, 3, D], data: row(1e-8, -1e-30, 2 ** -24) },
      { name: 'v', dtype: 'F32', shape: [1, 1, 3, D], data: row(65505, 2e-39, 3.4e38) },
      { name: 'kv_lens', dtype: 'I64', shape: [1], data: BigInt64Array.of(2n) },
    ]);
    const said = async (type: KvType) => (await gqaAttend(input, '--out', output, '--kv-dtype', type)).err;
    expect(await said('f16')).toContain(
      [
        'warning  k: 2 values below 3.0e-8, the least f16, count as 0',
        'warning  v: 2 values past 65504, the largest f16, were cut to it',
        'warning  v: 1 value below 3.0e-8, the least f16, counts as 0\n',
      ].join('\n'),
    );
    expect(await said('bf16')).toContain(
      'warning  v: 1 value past 3.4e38, the largest bf16, was cut to it\nwarning  v: 1 value below 1.2e-38, the least bf16, counts as 0\n',
    );
    expect(await said('int8')).not.toContain('warning  v');
  });

  test.each(['bf16', 'int8', 'int4'] as const)('--kv-dtype %s rounds k and v', async (type) => {
    const problem = await writeExample(CONTROL);
    const args = ['--kv-dtype', type, '--kernel', 'plain'];
    expect((await gqaAttend(input, '--out', output, ...args)).error).toBe('');
    await expectRight({ ...problem, ...held(type, problem) });
    expect((await readOutput()).metadata).toMatchObject({ kernel: 'plain', kv_dtype: type });
  });

  test('one token gives v, bit for bit, and lse is its score; other tensors are ignored with a note', async () => {
    const v = normals(3, D);
    const unit = (x: number) => Float32Array.from({ length: D }, (_, d) => (d === 0 ? x : 0));
    await writeSafetensors(input, [
      {
        name: 'q',
        dtype: 'F32',
        shape: [1, 4, 1, D],
        data: Float32Array.of(...unit(8), ...unit(0), ...unit(-1), ...unit(2)),
      },
      { name: 'k', dtype: 'F32', shape: [1, 1, 1, D], data: unit(3) },
      { name: 'v', dtype: 'F32', shape: [1, 1, 1, D], data: v },
      { name: 'bias', dtype: 'F32', shape: [1], data: Float32Array.of(1) },
      { name: 'mask', dtype: 'BOOL', shape: [1], data: Uint8Array.of(1) },
    ]);
    const { err } = await gqaAttend(input, '--out', output);
    expect(err).toContain('note     tensors without use here: bias, mask\n');
    const { o, lse } = await readOutput();
    expect(o.data).toEqual(Float32Array.of(...v, ...v, ...v, ...v));
    expect([...lse.data]).toEqual([3, 0, -0.375, 0.75]); // 8 * 3 / sqrt(64), and so on
  });

  test('a result that is not finite is written and said, with exit code 1; rows without keys are not of it', async () => {
    const of = (name: string, shape: number[], values: readonly number[]): TensorData => ({
      name,
      dtype: 'F32',
      shape,
      data: Float32Array.from(values.flatMap((x) => Array.from({ length: D }, () => x))),
    });
    const lens: TensorData = { name: 'kv_lens', dtype: 'I64', shape: [2], data: BigInt64Array.of(2n, 0n) };
    const k = of('k', [2, 1, 2, D], [1e19, -1e19, 0, 0]);
    const v = of('v', [2, 1, 2, D], [1, 2, 3, 4]);
    await writeSafetensors(input, [of('q', [2, 2, 1, D], [1, 1e19, 1, 1]), k, v, lens]);
    const { err, out, error, exitCode } = await gqaAttend(input, '--out', output);
    expect([error, exitCode]).toEqual(['', 1]);
    expect(out).toContain('o and lse are in');
    expect(err).toContain(
      'warning  64 of 256 values of o and 1 of 4 of lse are not finite, the first is NaN at [b, h, i, d] = [0, 1, 0, 0]: ',
    );
    const { o, lse } = await readOutput();
    expect(Array.from(lse.data).slice(1)).toEqual([NaN, Math.fround(-3e38), Math.fround(-3e38)]);
    expect([...o.data.slice(D - 1, D + 1), ...o.data.slice(2 * D - 1, 2 * D + 1)]).toEqual([1, NaN, NaN, 0]);

    await writeSafetensors(input, [of('q', [2, 2, 1, D], [1, -1, 1, 1]), k, v, lens]);
    expect(await gqaAttend(input, '--out', output)).toMatchObject({ exitCode: 0, error: '' });
  });

  test('slots past kv_lens may hold NaN', async () => {
    const problem = await writeExample({ ...CONTROL, kvLens: [36, 37] });
    const k = problem.k.slice().fill(NaN, 36 * D, 37 * D);
    await writeSafetensors(input, [
      { name: 'q', dtype: 'F32', shape: [2, 8, 1, D], data: problem.q },
      { name: 'k', dtype: 'F32', shape: [2, 2, 37, D], data: k },
      { name: 'v', dtype: 'F32', shape: [2, 2, 37, D], data: problem.v },
      { name: 'kv_lens', dtype: 'U8', shape: [2], data: Uint8Array.of(36, 37) },
    ]);
    expect((await gqaAttend(input, '--out', output)).error).toBe('');
    await expectRight(problem);
  });
});

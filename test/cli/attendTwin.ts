// attendTwin.ts: attention written down once more, in float64, and what `gqa attend` writes held against it.
import { expect } from 'vitest';
import { SafetensorsFile, type TensorData } from '../../src/checkpoint/format/file.ts';
import { normals } from '../../src/numbers/random.ts';

/** A problem by functions: what a row of q, a key and a value are, and a score's change and visibility. */
export interface Twin {
  readonly sizes: {
    readonly batch: number;
    readonly heads: number;
    readonly kvHeads: number;
    readonly qLen: number;
    readonly keys: number;
  };
  readonly q: (b: number, h: number, i: number) => Float32Array;
  readonly k: (b: number, h: number, t: number) => Float32Array;
  readonly v: (b: number, h: number, t: number) => Float32Array;
  readonly change?: (score: number, place: readonly number[]) => number;
  readonly sees: (b: number, h: number, i: number, t: number) => boolean;
  readonly sink?: (h: number) => number;
}

/** o rows, lse and weights in float64, by [b, h, i]. */
export function twin({ sizes, q, k, v, change = (score) => score, sees, sink = () => -Infinity }: Twin) {
  const { batch, heads, kvHeads, qLen, keys } = sizes;
  const rows: { o: number[]; lse: number; weights: number[] }[] = [];
  for (let row = 0; row < batch * heads * qLen; row++) {
    const [b, h, i] = [Math.floor(row / heads / qLen), Math.floor(row / qLen) % heads, row % qLen] as const;
    const kv = Math.floor((h * kvHeads) / heads);
    const query = q(b, h, i);
    const exps = Array.from({ length: keys }, (_, t) => {
      if (!sees(b, h, i, t)) return 0;
      const key = k(b, kv, t);
      const dot = query.reduce((sum, x, d) => sum + x * key[d]!, 0);
      return Math.exp(change(dot / Math.sqrt(query.length), [b, h, i, t]));
    });
    const l = exps.reduce((sum, x) => sum + x, Math.exp(sink(h)));
    const weights = exps.map((x) => (l === 0 ? 0 : x / l));
    const o = Array.from(v(0, 0, 0), () => 0);
    weights.forEach((w, t) => w > 0 && v(b, kv, t).forEach((x, d) => (o[d] = o[d]! + w * x)));
    rows.push({ o, lse: l === 0 ? Math.fround(-3e38) : Math.log(l), weights });
  }
  return rows;
}

export const tensor = (name: string, shape: number[], data: Float32Array<ArrayBuffer>): TensorData => {
  return { name, dtype: 'F32', shape, data };
};

/** A tensor of random numbers, and its rows where its last axes are heads, rows and dim. */
export function random(
  name: string,
  seed: number,
  [batch, heads, rows, dim]: readonly [number, number, number, number],
) {
  const data = normals(seed, batch * heads * rows * dim);
  const row = (b: number, h: number, r: number) => {
    const at = ((b * heads + h) * rows + r) * dim;
    return data.subarray(at, at + dim);
  };
  return { tensor: tensor(name, [batch, heads, rows, dim], data), row };
}

/** Fails unless o and lse of the output are those of the twin. */
export async function expectRows(output: string, want: ReturnType<typeof twin>): Promise<void> {
  const { o, lse } = await outputs(output);
  const [rows, sums] = [want.flatMap((row) => row.o), want.map((row) => row.lse)];
  expectClose(o!.data, rows);
  expectClose(lse!.data, sums);
}

export async function outputs(
  output: string,
): Promise<Record<string, { shape: readonly number[]; data: Float32Array }>> {
  const file = await SafetensorsFile.open(output);
  try {
    const names = [...file.header.tensors.keys()];
    return Object.fromEntries(
      await Promise.all(names.map(async (name) => [name, await file.readFloat32(name)])),
    );
  } finally {
    await file.close();
  }
}

export function expectClose(got: ArrayLike<number>, want: readonly number[]): void {
  expect(got.length).toBe(want.length);
  const worst = want.reduce((most, x, at) => Math.max(most, x === got[at] ? 0 : Math.abs(x - got[at]!)), 0);
  expect(worst).toBeLessThan(1e-5);
}

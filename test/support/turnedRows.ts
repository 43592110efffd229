// turnedRows.ts: runs an append that normalises and turns its rows, and holds every row of the cache and of q against float64.
import { expect } from 'vitest';
import {
  createKvCache,
  createRope,
  decodeRows,
  encodeRows,
  type GqaDevice,
  type KvType,
  readBack,
  type RopeFormat,
  ropeFrequencies,
  uploadStorage,
} from '../../src/index.ts';
import { normals } from '../../src/numbers/random.ts';
import { normalised, turned } from '../reference/rope.ts';

/** An append of `numTokens` rows to sequences of these lengths, of which each takes the first `counts`. */
export interface Turned {
  readonly kvLens: readonly number[];
  readonly numTokens?: number;
  readonly counts?: readonly number[];
  readonly capacity?: number;
  readonly numKvHeads?: number;
  readonly numQHeads?: number;
  readonly headDim: number;
  readonly vHeadDim?: number;
  readonly kType?: KvType;
  readonly vType?: KvType;
  readonly rope?: Omit<RopeFormat, 'headDim'>;
  readonly norm?: number;
  /** Rows of K and of q, instead of random ones. */
  readonly values?: (count: number) => Float32Array<ArrayBuffer>;
}

/** What is left of a row by a type: the largest error as a part of the row's largest magnitude. */
const LOSS: Readonly<Record<KvType, number>> = {
  f32: 0,
  f16: 2 ** -11,
  bf16: 2 ** -8,
  int8: 1 / 253,
  int4: 0.0725,
};

/** The largest error of arithmetic in f32, as a part of the row's largest magnitude: of turning, and of a norm before it. */
const ERROR = { turned: 1e-6, normalised: 2e-6 };

/** Runs the append and holds every row of K, V and q against float64, those that must stay among them. */
export async function check(device: GqaDevice, given: Turned): Promise<void> {
  const { kvLens, numTokens = 1, headDim, vHeadDim = headDim, numKvHeads = 2, numQHeads = 4 } = given;
  const { counts = kvLens.map(() => numTokens), capacity = 12, kType = 'f32', vType = 'f32' } = given;
  const batch = kvLens.length;
  using cache = await createKvCache(device, { batch, numKvHeads, headDim, vHeadDim, capacity, kType, vType });
  const { layout } = cache;
  const [kBefore, vBefore] = [
    normals(1, layout.k.heads * capacity * headDim),
    normals(2, layout.k.heads * capacity * vHeadDim),
  ];
  cache.load({ k: encodeRows(layout.k, kBefore), v: encodeRows(layout.v, vBefore), kvLens });
  const make = given.values ?? ((count: number) => normals(count, count));
  const k = make(batch * numKvHeads * numTokens * headDim);
  const v = normals(4, batch * numKvHeads * numTokens * vHeadDim);
  const q = make(batch * numQHeads * numTokens * headDim);
  const buffers = {
    k: uploadStorage(device, 'k', k),
    v: uploadStorage(device, 'v', v),
    q: uploadStorage(device, 'q', q),
  };
  using rope = given.rope && (await createRope(device, { headDim, ...given.rope, positions: capacity }));
  const weights = { k: weightsOf(headDim, 5), q: weightsOf(headDim, 6) };
  const qkNorm = given.norm === undefined ? undefined : { ...weights, eps: given.norm };
  await cache.append(
    { ...buffers, numTokens, numQHeads, ...(rope && { rope }), ...(qkNorm && { qkNorm }) },
    { numTokens: counts },
  );

  const error = qkNorm ? ERROR.normalised : ERROR.turned;
  const prepared = (row: readonly number[], of: 'k' | 'q', position: number) => {
    const even = qkNorm ? normalised(row, weights[of], qkNorm.eps) : row;
    if (!given.rope) return [...even];
    const { frequencies, attentionFactor } = ropeFrequencies({ headDim, ...given.rope });
    return turned(even, given.rope.style ?? 'half', frequencies, attentionFactor, position);
  };
  const [kAfter, vAfter, qAfter] = [
    decodeRows(layout.k, new Uint8Array(await readBack(device, cache.layers[0]!.k))),
    decodeRows(layout.v, new Uint8Array(await readBack(device, cache.layers[0]!.v))),
    new Float32Array(await readBack(device, buffers.q)),
  ];
  const kStored = decodeRows(layout.k, encodeRows(layout.k, kBefore));
  const vStored = decodeRows(layout.v, encodeRows(layout.v, vBefore));
  const row = (of: Float32Array, index: number, dim = headDim) =>
    Array.from(of.subarray(index * dim, (index + 1) * dim));
  for (let b = 0; b < batch; b++) {
    for (let head = 0; head < numKvHeads; head++) {
      for (let slot = 0; slot < capacity; slot++) {
        const at = (b * numKvHeads + head) * capacity + slot;
        const token = slot - kvLens[b]!;
        if (token < 0 || token >= counts[b]!) {
          expect(row(kAfter, at)).toEqual(row(kStored, at));
          expect(row(vAfter, at, vHeadDim)).toEqual(row(vStored, at, vHeadDim));
          continue;
        }
        const from = (b * numKvHeads + head) * numTokens + token;
        expectRow(row(kAfter, at), prepared(row(k, from), 'k', slot), error + LOSS[kType]);
        expectRow(row(vAfter, at, vHeadDim), row(v, from, vHeadDim), LOSS[vType]);
      }
    }
    for (let head = 0; head < numQHeads; head++) {
      for (let token = 0; token < numTokens; token++) {
        const at = (b * numQHeads + head) * numTokens + token;
        if (token >= counts[b]!) expect(row(qAfter, at)).toEqual(row(q, at));
        else expectRow(row(qAfter, at), prepared(row(q, at), 'q', kvLens[b]! + token), error);
      }
    }
  }
}

function weightsOf(headDim: number, seed: number): Float32Array {
  return normals(seed, headDim).map((x) => 1 + x / 4);
}

/** `error` is a part of the row's largest magnitude. */
export function expectRow(got: readonly number[], wanted: readonly number[], error: number): void {
  const largest = Math.max(...wanted.map(Math.abs));
  const worst = Math.max(...wanted.map((x, d) => Math.abs(got[d]! - x)));
  expect(worst).toBeLessThanOrEqual(error * largest);
}

// onnxCache.node.test.ts: ONNX's own tests of RotaryEmbedding and TensorScatter, by append_kv, which is both of them here.
//
// All cases that ONNX 1.22 has of both are here, linear and circular. RotaryEmbedding's "expanded" ones have the same numbers: they
// are for engines that have no such operator. Its cosines and sines are random numbers, which no frequencies give: they stand in the
// kernel's table in place of `createRope`'s, which has tests of its own.
import { expect, test } from 'vitest';
import {
  APPEND_STATUS_WORDS,
  appendGrid,
  appendKv,
  appendStepWords,
  setAppended,
} from '../../src/kernels/appendKv.ts';
import type { AppendedRows } from '../../src/kernels/appendLibs.ts';
import type { RingSlots } from '../../src/kernels/lib.ts';
import { rowPlaces } from '../../src/kernels/rowPlaces.ts';
import { ROPE_LOW } from '../../src/numbers/rope.ts';
import { appendKv as appendedByTwin } from '../reference/appendKv.ts';
import { testDevice } from '../support/device.ts';
import { expectClose, onnxCases, withCase } from '../support/onnxCases.ts';
import { runKernel, unwritten } from '../support/runKernel.ts';

const device = await testDevice();

type Floats = Float32Array<ArrayBuffer>;

/** The same `rows` [B, H, numTokens, D] for K, for V and, where they are turned, for q, behind those that caches of f32 hold. */
interface Append {
  readonly kvLens: readonly number[];
  readonly numTokens: number;
  readonly heads: number;
  readonly headDim: number;
  readonly capacity: number;
  readonly rows: Floats;
  /** What K and V hold before, [B, H, slots, D]. */
  readonly cache: Floats;
  readonly ring?: RingSlots;
  readonly rope?: AppendedRows['rope'];
  readonly turns?: Floats;
}

/** K, V and q after that. */
async function appended(given: Append): Promise<Record<'k_cache' | 'v_cache' | 'q', Floats>> {
  const { kvLens, numTokens, heads, headDim, capacity, rows, cache, ring, rope, turns } = given;
  const batch = kvLens.length;
  const places = rowPlaces('rows', {}, { batch, heads, qLen: numTokens }, headDim);
  const step = appendStepWords({ batch, numKvHeads: heads, capacity, kScales: 0, vScales: 0 });
  const counts = kvLens.map(() => numTokens);
  setAppended(step, { k: places, v: places, q: places }, kvLens, counts);
  const numQHeads = rope ? heads : 0;
  const format = { kType: 'f32', vType: 'f32', ...(ring && { ring }) } as const;
  const results = await runKernel(device, {
    kernel: appendKv(
      { numKvHeads: heads, headDim, vHeadDim: headDim, ...format },
      { numQHeads, ...(rope && { rope }) },
    ),
    grid: appendGrid(batch, { numKvHeads: heads, numQHeads }, numTokens),
    inputs: { k: rows, v: rows, ...(turns && { turns }) },
    outputs: {
      k_cache: cache,
      v_cache: cache,
      status: new Uint32Array(APPEND_STATUS_WORDS),
      ...(rope && { q: rows }),
    },
    step,
  });
  expect([...results['status']!]).toEqual([1, 0, 0, 0, 0, 0, 0]);
  return results as Record<'k_cache' | 'v_cache' | 'q', Floats>;
}

/** The kernel's table with ONNX's cosines and sines, [positions, P], for its first positions and NaN for the others. */
function turnsOf(cosines: Floats, sines: Floats, pairs: number): Floats {
  const turns = new Float32Array((ROPE_LOW + 1) * pairs * 2).fill(NaN);
  for (const [i, cosine] of cosines.entries()) turns.set([cosine, sines[i]!], 2 * i);
  for (let pair = 0; pair < pairs; pair++) turns.set([1, 0], 2 * (ROPE_LOW * pairs + pair));
  return turns;
}

/** [B, H, L, D] as [B * L, H, 1, D], which three axes, [B, L, H * D], are already. */
function byTokens(data: Floats, shape: readonly number[]): Floats {
  if (shape.length === 3) return data;
  const [, heads, tokens, dim] = shape as [number, number, number, number];
  return data.map((_, at) => {
    const [d, h, n] = [at % dim, Math.floor(at / dim) % heads, Math.floor(at / (dim * heads))];
    return data[((Math.floor(n / tokens) * heads + h) * tokens + (n % tokens)) * dim + d]!;
  });
}

/** What the caches hold with these rows behind their own, by the kernel's twin. */
function expected({ cache, heads, ...append }: Append, rows: Floats): Floats {
  const after = cache.slice();
  appendedByTwin({ ...append, numKvHeads: heads, rows }, (slot, row) => after.set(row, slot * row.length));
  return after;
}

// With position ids each token is a sequence of its own, as long as its position. Without them the tables have a row for each token:
// the first sequence begins at position 0, the next one behind its last.
test.each(onnxCases(/^rotary_/))('%s: of K on its way into a cache, and of q', (name) =>
  withCase(name, async ({ attributes, floats, whole }) => {
    const [x, cosines, sines] = [await floats('input_0'), await floats('input_1'), await floats('input_2')];
    const { shape, data: turned } = await floats('output_0');
    const [batch, tokens] = [shape[0]!, shape.at(-2)!];
    const heads = shape.length === 4 ? shape[1]! : Number(attributes['num_heads']);
    const headDim = x.data.length / (batch * tokens * heads);
    const pairs = cosines.shape.at(-1)!;
    const rotaryDim = Number(attributes['rotary_embedding_dim'] ?? headDim);
    expect(pairs).toBe(rotaryDim / 2);
    const placed = attributes['inputs']!.endsWith('position_ids');
    const kvLens = placed ? await whole('input_3') : Array.from({ length: batch }, (_, b) => b * tokens);
    const capacity = cosines.data.length / pairs;
    const ordered = (rows: Floats) => (placed ? byTokens(rows, shape) : rows);
    const append = {
      kvLens,
      numTokens: placed ? 1 : tokens,
      heads,
      headDim,
      capacity,
      rows: ordered(x.data),
      cache: unwritten(kvLens.length * heads * capacity * headDim),
      rope: { style: attributes['interleaved'] === '1' ? 'interleaved' : 'half', rotaryDim },
      turns: turnsOf(cosines.data, sines.data, pairs),
    } as const;
    const { k_cache, v_cache, q } = await appended(append);
    expectClose(q, ordered(turned));
    expectClose(k_cache, expected(append, ordered(turned)));
    expect(v_cache).toEqual(expected(append, append.rows));
  }),
);

/** Rows filled up to a multiple of 8 elements, as caches have them. */
function filledUp(data: Floats, dim: number, headDim: number): Floats {
  const rows = new Float32Array((data.length / dim) * headDim);
  for (const [at, x] of data.entries()) rows[Math.floor(at / dim) * headDim + (at % dim)] = x;
  return rows;
}

// An index to write at is a sequence's length: what lies behind it is written over. In a ring it is the length modulo the slots.
test.each(
  onnxCases(/^tensorscatter/).flatMap((name) =>
    (name.includes('circular') ? [0, 1, 7] : [0]).map((lap) => [name, lap] as const),
  ),
)('%s, on lap %i', (name, lap) =>
  withCase(name, async ({ attributes, floats, whole }) => {
    const [past, update, want] = [await floats('input_0'), await floats('input_1'), await floats('output_0')];
    const [slots, dim] = past.shape.slice(-2) as [number, number];
    const circular = attributes['mode'] === 'circular';
    const headDim = Math.ceil(dim / 8) * 8;
    const { k_cache, v_cache } = await appended({
      kvLens: (await whole('input_2')).map((index) => lap * slots + index),
      numTokens: update.shape.at(-2)!,
      heads: past.shape.length === 4 ? past.shape[1]! : 1,
      headDim,
      capacity: circular ? 100 : slots,
      rows: filledUp(update.data, dim, headDim),
      cache: filledUp(past.data, dim, headDim),
      ...(circular && { ring: { slots, sinkSlots: 0 } }),
    });
    const present = filledUp(want.data, dim, headDim);
    expect(k_cache).toEqual(present);
    expect(v_cache).toEqual(present);
  }),
);

// headMix.ts: what each head of the result is made from, and carrying that out on the bytes of a tensor.
import { fail, quote } from '../format/checkpointError.ts';
import { elementBytes, FloatView, floatDtype, LARGEST, NOTHING } from '../format/dtypes.ts';
import type { Regrouping } from './heads.ts';
import { slotsOf, type Role, type Slot, type View } from '../../models/families/headSlots.ts';
import { addProduct } from './linear/dense.ts';
import { seededNormals, seedOf } from '../../numbers/seeded.ts';
import type { Part } from '../heads/attentionModule.ts';

/**
 * A head of the result: the mean of source heads (of one: its bytes); with matrices [rows, rows], the sum of each
 * head times its matrix; or `fresh`, random numbers of the source tensor's size.
 */
export interface HeadMix {
  readonly heads: readonly number[];
  readonly matrices?: readonly Float64Array[];
  readonly fresh?: number;
}

/** For each role, what the heads of the result are made from. */
export type HeadMaps = Readonly<Record<Role, readonly HeadMix[]>>;

/** The paper's three ways to merge heads, none of which changes a query head or needs to see the weights. */
export type PlainMethod = 'mean' | 'first' | 'random';

/** Maps of a method that treats every element of a head alike. `seed` is that of `random`. */
export function plainMaps(method: PlainMethod, regrouping: Regrouping, seed: number): HeadMaps {
  const queries = regrouping.queryOrder.map((h) => ({ heads: [h] }));
  const merged = regrouping.members.map((heads) =>
    method === 'mean' || heads.length === 1
      ? { heads }
      : method === 'first'
        ? { heads: heads.slice(0, 1) }
        : { heads, fresh: seed },
  );
  return { q: queries, o: queries, k: merged, v: merged };
}

/** Shape of a part's tensor in the result. */
export function targetShape(part: Part, { target }: Regrouping): number[] {
  return part.tensor.shape.map((size, axis) =>
    axis === part.axis ? slotsOf(part.order, target).length * part.view.rows : size,
  );
}

/**
 * The bytes of a part's tensor in the result. `bytes` are those of the source tensor, at the start of an aligned
 * buffer. Sums run in float64 in the order of the source heads, and each element is rounded once.
 */
export function mixTensor(part: Part, bytes: Uint8Array, regrouping: Regrouping, maps: HeadMaps): Uint8Array {
  const { view, tensor, order } = part;
  const targets = slotsOf(order, regrouping.target);
  const sources = slotsOf(order, regrouping.source);
  const place = new Map(sources.map((slot, i) => [key(slot), i]));
  const run = view.rows * view.inner;
  const size = elementBytes(tensor.dtype, `tensor ${quote(tensor.name)}`);
  const out = new Uint8Array(view.outer * targets.length * run * size);
  targets.forEach(({ role, head }, to) => {
    const mix = maps[role][head]!;
    const from = mix.heads.map((h) => place.get(key({ role, head: h }))!);
    const job = { part, bytes, out, from, to, slots: targets.length, run, size };
    if (mix.fresh !== undefined) drawSlot(job, seedOf(mix.fresh, `${tensor.name}/${head}`));
    else if (mix.matrices && part.isHead) transformSlot(job, mix.matrices);
    else if (from.length === 1) copySlot(job);
    else averageSlot(job);
  });
  return out;
}

function key({ role, head }: Slot): string {
  return `${role}${head}`;
}

/** One slot of the result. `from` are source slots, `run` the elements of a slot, `size` the bytes of an element. */
interface SlotJob {
  readonly part: Part;
  readonly bytes: Uint8Array;
  readonly out: Uint8Array;
  readonly from: readonly number[];
  readonly to: number;
  readonly slots: number;
  readonly run: number;
  readonly size: number;
}

function copySlot({ part, bytes, out, from, to, slots, run, size }: SlotJob): void {
  const { outer, slots: sourceSlots } = part.view;
  for (let o = 0; o < outer; o++) {
    const begin = (o * sourceSlots + from[0]!) * run * size;
    out.set(bytes.subarray(begin, begin + run * size), (o * slots + to) * run * size);
  }
}

// Elements that are summed at a time: their float64 sums stay in the cache.
const CHUNK = 16384;

function averageSlot({ part, bytes, out, from, to, slots, run }: SlotJob): void {
  const { source, target } = viewsOf(part, bytes, out);
  const sums = new Float64Array(Math.min(CHUNK, run));
  for (let o = 0; o < part.view.outer; o++) {
    for (let begin = 0; begin < run; begin += CHUNK) {
      const length = Math.min(CHUNK, run - begin);
      const total = sums.subarray(0, length);
      total.fill(NOTHING);
      for (const slot of from) source.addTo((o * part.view.slots + slot) * run + begin, total);
      let check = 0;
      for (let c = 0; c < length; c++) {
        total[c]! /= from.length;
        // 0 for a finite number, else NaN, which stays.
        check += total[c]! - total[c]!;
      }
      if (check !== 0) refuseNotFinite(part, bytes);
      target.write((o * slots + to) * run + begin, total);
    }
  }
}

/** Rows of a slot times a matrix, summed over the source heads; columns of the slot (`inner`) lie side by side. */
function transformSlot(
  { part, bytes, out, from, to, slots, run }: SlotJob,
  matrices: readonly Float64Array[],
): void {
  const { outer, rows, slots: sourceSlots }: View = part.view;
  const { source, target } = viewsOf(part, bytes, out);
  const values = new Float64Array(run);
  const sum = new Float64Array(run);
  for (let o = 0; o < outer; o++) {
    sum.fill(0);
    from.forEach((slot, i) => {
      source.read((o * sourceSlots + slot) * run, values);
      addProduct(sum, matrices[i]!, values, rows);
    });
    checkRange(part, bytes, sum);
    target.write((o * slots + to) * run, sum);
  }
}

/** Normal numbers with the root mean square of the heads they replace; a bias starts at 0. */
function drawSlot({ part, bytes, out, from, to, slots, run }: SlotJob, seed: number): void {
  const { source, target } = viewsOf(part, bytes, out);
  const { outer, slots: sourceSlots } = part.view;
  if (part.tensor.shape.length === 1) return;
  let squares = 0;
  const values = new Float64Array(run);
  for (let o = 0; o < outer; o++) {
    for (const slot of from) {
      source.read((o * sourceSlots + slot) * run, values);
      for (const x of values) squares += x * x;
    }
  }
  if (!Number.isFinite(squares)) refuseNotFinite(part, bytes);
  const size = Math.sqrt(squares / (outer * from.length * run));
  for (let o = 0; o < outer; o++) {
    const drawn = seededNormals(seedOf(seed, String(o)), run).map((x) => x * size);
    target.write((o * slots + to) * run, drawn);
  }
}

/** One number that is not finite would make the same place of every head of its group so. */
function refuseNotFinite({ tensor }: Part, bytes: Uint8Array): never {
  const at = `tensor ${quote(tensor.name)}`;
  const view = new FloatView(floatDtype(tensor.dtype, at), bytes);
  const values = new Float64Array(view.length);
  view.read(0, values);
  const bad = values.filter((x) => !Number.isFinite(x)).length;
  fail(
    `${at}: ${bad} of ${values.length} numbers are NaN or infinity, which merging would spread to other heads; expected finite weights (--method first copies heads as they are)`,
  );
}

/** Turned and scaled heads may leave the range of their type, where the mean cannot. */
function checkRange(part: Part, bytes: Uint8Array, values: Float64Array): void {
  const { tensor } = part;
  const at = `tensor ${quote(tensor.name)}`;
  const max = LARGEST[floatDtype(tensor.dtype, at)];
  const bad = values.find((x) => !(Math.abs(x) <= max));
  if (bad === undefined) return;
  if (!Number.isFinite(bad)) refuseNotFinite(part, bytes);
  fail(`${at}: turned heads reach ${bad}, past the largest ${tensor.dtype}, ${max}; use --method mean`);
}

function viewsOf(
  { tensor }: Part,
  bytes: Uint8Array,
  out: Uint8Array,
): { source: FloatView; target: FloatView } {
  const dtype = floatDtype(tensor.dtype, `tensor "${tensor.name}"`);
  return { source: new FloatView(dtype, bytes), target: new FloatView(dtype, out) };
}

/** A head of a tensor as float32 rows [rows, width], whichever axis the heads lie along. */
export function headRows(part: Part, bytes: Uint8Array, slot: number): Float32Array {
  const { outer, slots, rows, inner } = part.view;
  const run = rows * inner;
  const source = new FloatView(floatDtype(part.tensor.dtype, `tensor "${part.tensor.name}"`), bytes);
  const values = new Float64Array(run);
  const width = outer * inner;
  const out = new Float32Array(rows * width);
  for (let o = 0; o < outer; o++) {
    source.read((o * slots + slot) * run, values);
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < inner; c++) out[r * width + o * inner + c] = values[r * inner + c]!;
    }
  }
  return out;
}

// runDecode.ts: runs the kernels of a decode step on a stored problem, one kernel at a time.
import type { StoredProblem } from '../../src/reference/problem.ts';
import type { GqaDevice } from '../../src/device/gqaDevice.ts';
import { scalesStart } from '../../src/numbers/elements.ts';
import type { Kernel } from '../../src/kernels/kernel.ts';
import {
  numberPlaces,
  rowPlaces,
  rowStarts,
  type RowPlaces,
  type RowsOptions,
} from '../../src/kernels/rowPlaces.ts';
import type { GqaShape } from '../../src/kernels/shape.ts';
import { packStep } from '../../src/kernels/stepNumbers.ts';
import { attention, qLenOf } from '../../src/reference/attention.ts';
import { decodeMerge } from '../reference/decodeMerge.ts';
import type { FusedResult, Item } from '../reference/decodeTiles.ts';
import { expectWithinRule, expectWritten, withoutFloor } from './errorRule.ts';
import { runKernel, SENTINEL, unwritten, type Words } from './runKernel.ts';

/** The partial states of a sequence: the index of the first, and how many; 1 or fewer are not merged. */
export interface Sequence {
  readonly first: number;
  readonly count: number;
}

/** What a step's numbers are made of. */
export interface StepNumbers {
  readonly capacity: number;
  readonly kvLens: readonly number[];
  readonly smScale?: number;
  /** Where scales begin, as an index of 16-byte words. */
  readonly kScales?: number;
  readonly vScales?: number;
  readonly sequences?: readonly Sequence[];
  readonly rows?: StepRows;
  readonly items?: readonly Item[];
  /** Words behind the items. */
  readonly tail?: readonly number[];
}

const UNUSED = 0xfffffff0;

/** The query rows of a step, and where they lie. */
export interface StepRows {
  readonly numQHeads: number;
  readonly groupSize: number;
  /** Positions there is room for in each sequence. */
  readonly qLen: number;
  /** Positions that each sequence has. */
  readonly qLens: readonly number[];
  readonly q: RowPlaces;
  readonly o: RowPlaces;
  readonly lse: RowPlaces;
}

type RowShape = Pick<GqaShape, 'batch' | 'numQHeads' | 'numKvHeads' | 'headDim' | 'vHeadDim' | 'qLen'>;

/** The rows of a shape, by default dense f32 of as many positions as there is room for. */
export function rowsOf(
  shape: RowShape & { readonly qLens?: readonly number[] },
  { q = {}, o = {} }: { readonly q?: RowsOptions; readonly o?: RowsOptions } = {},
): StepRows {
  const { batch, numQHeads, qLen } = shape;
  const axes = { batch, heads: numQHeads, qLen };
  const places = { q: rowPlaces('q', q, axes, shape.headDim), o: rowPlaces('o', o, axes, shape.vHeadDim) };
  const { qLens = Array.from({ length: batch }, () => qLen) } = shape;
  const heads = { numQHeads, groupSize: numQHeads / shape.numKvHeads };
  return { ...heads, qLen, qLens, ...places, lse: numberPlaces(places.o, axes) };
}

/** Words of the `step` binding; what is not given is absurd. */
export function stepWords(numbers: StepNumbers): Uint32Array<ArrayBuffer> {
  const { capacity, kvLens, smScale = NaN, kScales = UNUSED, vScales = UNUSED, items = [] } = numbers;
  const { rows } = numbers;
  const starts = [rows?.q, rows?.o, rows?.lse].map((places) => places && rowStarts(places, rows!.qLens));
  const sequences = kvLens.map((kvLen, b) => {
    const { first = UNUSED, count = UNUSED } = numbers.sequences?.[b] ?? {};
    const [qStart, oStart, lseStart] = starts.map((each) => each?.[b] ?? UNUSED) as [number, number, number];
    const qLen = rows?.qLens[b] ?? UNUSED;
    return { kvLen, firstState: first, numSplits: count, qLen, qStart, oStart, lseStart };
  });
  const work = items.map(({ b, ...item }) => ({ ...item, sequence: b }));
  const words = packStep({ ...headerOf(rows), capacity, kScales, vScales, smScale }, sequences, work);
  return Uint32Array.from([...words, ...(numbers.tail ?? [])]);
}

function headerOf(rows: StepRows | undefined) {
  const nowhere = { head: UNUSED, position: UNUSED };
  if (!rows) return { numQHeads: UNUSED, rows: UNUSED, q: nowhere, o: nowhere, lse: nowhere };
  const { numQHeads, groupSize, qLen, q, o, lse } = rows;
  return { numQHeads, rows: groupSize * qLen, q, o, lse };
}

/** The numbers of a problem, with scales where its element types have them. */
export function numbersOf(problem: StoredProblem): StepNumbers {
  const { capacity, kvLens, smScale, headDim, vHeadDim } = problem;
  const rows = { heads: problem.batch * problem.numKvHeads, capacity };
  return {
    capacity,
    kvLens,
    smScale,
    rows: rowsOf(problem),
    kScales: scalesStart({ ...rows, type: problem.kType, headDim }),
    vScales: scalesStart({ ...rows, type: problem.vType, headDim: vHeadDim }),
  };
}

/** The stored K and V of a problem, as a kernel's bindings. */
export function cacheInputs({ kStored, vStored }: StoredProblem): { k_cache: Words; v_cache: Words } {
  return { k_cache: kStored, v_cache: vStored };
}

/** Every sequence in splits of `splitLen` keys; those that are one item write their output, unless `all` have states. */
export function itemsOf(kvLens: readonly number[], splitLen: number, all = false): Item[] {
  let states = 0;
  return kvLens.flatMap((kvLen, b) => {
    const splits = Math.max(1, Math.ceil(kvLen / splitLen));
    return Array.from({ length: splits }, (_, s): Item => {
      const item = { b, begin: s * splitLen, end: Math.min(kvLen, (s + 1) * splitLen) };
      return splits > 1 || all ? { ...item, state: states++ } : item;
    });
  });
}

/** A fused kernel, and how much of it to dispatch. */
export interface FusedRun {
  readonly kernel: Kernel;
  /** Of one item: row blocks of all KV heads. */
  readonly workgroups: number;
  readonly items: readonly Item[];
  /** Words behind the step's items. */
  readonly tail?: readonly number[];
}

/** Runs a fused kernel over items. */
export async function runFused(
  device: GqaDevice,
  problem: StoredProblem,
  { kernel, workgroups, items, tail = [] }: FusedRun,
): Promise<FusedResult> {
  const { batch, numQHeads, qLen, vHeadDim } = problem;
  const rows = numQHeads * qLen;
  const states = items.filter(({ state }) => state !== undefined).length * rows;
  const { o, lse, partial } = await runKernel(device, {
    kernel,
    grid: [workgroups / problem.numKvHeads, problem.numKvHeads, items.length],
    inputs: { q: problem.q, ...cacheInputs(problem) },
    outputs: {
      o: unwritten(batch * rows * vHeadDim),
      lse: unwritten(batch * rows),
      partial: unwritten(states * (vHeadDim + 4)),
    },
    step: stepWords({ ...numbersOf(problem), items, tail }),
  });
  return {
    o: Float64Array.from(o!),
    lse: Float64Array.from(lse!),
    ...unpackStates(inTwinOrder(partial!, problem), vHeadDim),
  };
}

/** States counted as the kernels do, [states, Hkv, Lq, G], in the order of the twins, [states, Hq, Lq]. */
function inTwinOrder(partial: ArrayLike<number>, problem: StoredProblem): number[] {
  const { numQHeads, numKvHeads, qLen, vHeadDim } = problem;
  const [rows, words] = [numQHeads * qLen, vHeadDim + 4];
  const groupSize = numQHeads / numKvHeads;
  return Array.from({ length: partial.length }, (_, i) => {
    const [state, row] = [Math.floor(i / words / rows), Math.floor(i / words) % rows];
    const [h, position] = [Math.floor(row / qLen), row % qLen];
    const own = (Math.floor(h / groupSize) * qLen + position) * groupSize + (h % groupSize);
    return partial[(state * rows + own) * words + (i % words)]!;
  });
}

/** Partial states apart: o [states, D], not divided by l, and m and l [states]. */
interface States {
  readonly headDim: number;
  readonly o: ArrayLike<number>;
  readonly m: ArrayLike<number>;
  readonly l: ArrayLike<number>;
}

/** Partial states as the `partial` binding holds them: [states, D + 4], m, l and two zeros behind each o. */
export function packStates({ headDim, o, m, l }: States): Float32Array<ArrayBuffer> {
  const packed = new Float32Array(m.length * (headDim + 4));
  for (let at = 0; at < m.length; at++) {
    for (let d = 0; d < headDim; d++) packed[at * (headDim + 4) + d] = o[at * headDim + d]!;
    packed.set([m[at]!, l[at]!], at * (headDim + 4) + headDim);
  }
  return packed;
}

/** What `packStates` packed. States that were not written hold SENTINEL throughout, written ones zeros behind m and l. */
function unpackStates(partial: ArrayLike<number>, headDim: number) {
  const states = partial.length / (headDim + 4);
  const read = (per: number, first: number) =>
    Float64Array.from(
      { length: states * per },
      (_, i) => partial[Math.floor(i / per) * (headDim + 4) + first + (i % per)]!,
    );
  const [m, l, rest] = [read(1, headDim), read(1, headDim + 1), read(2, headDim + 2)];
  for (const [i, x] of rest.entries()) {
    const expected = m[i >> 1] === Math.fround(SENTINEL) ? Math.fround(SENTINEL) : 0;
    if (x !== expected) throw new Error(`state ${i >> 1}: expected ${expected} behind m and l, got ${x}`);
  }
  return { m, l, partialO: read(headDim, 0) };
}

/** Fails unless a fused kernel wrote what its twin says, where it says so, and nothing else. */
export function expectFused(got: FusedResult, truth: FusedResult, naive: FusedResult): void {
  for (const part of ['o', 'm', 'l', 'partialO'] as const) {
    expectWritten(part, got[part], truth[part], naive[part]);
  }
  expectWritten('lse', withoutFloor(got.lse), truth.lse, naive.lse);
}

/** Fails unless what a fused kernel wrote, its partial states merged, is attention over all keys of the sequences. */
export function expectAttention(problem: StoredProblem, items: readonly Item[], got: FusedResult): void {
  const rows = problem.numQHeads * problem.qLen;
  const lists = Array.from({ length: problem.batch * rows }, (_, row) => {
    const states = items.flatMap((item) =>
      item.state !== undefined && item.b === Math.floor(row / rows) ? [item.state * rows + (row % rows)] : [],
    );
    return states.length > 0 ? states : undefined;
  });
  const { m, l, partialO } = got;
  const merged = decodeMerge(lists, { headDim: problem.vHeadDim, m, l, o: partialO });
  const written = (own: Float64Array, whole: Float64Array, perRow: number) =>
    own.map((x, i) => (lists[Math.floor(i / perRow)] ? x : whole[i]!));
  const truth = attention(problem);
  const naive = attention(problem, Math.fround);
  const there = (values: ArrayLike<number>, perRow: number) =>
    Array.from(values).filter((_, i) => {
      const row = Math.floor(i / perRow);
      return row % problem.qLen < qLenOf(problem, Math.floor(row / rows));
    });
  const compare = (
    what: string,
    own: Float64Array,
    right: Float64Array,
    rough: Float64Array,
    perRow: number,
  ) => expectWithinRule(what, there(own, perRow), there(right, perRow), there(rough, perRow));
  compare('attention', written(merged.o, got.o, problem.vHeadDim), truth.o, naive.o, problem.vHeadDim);
  const whole = Float64Array.from(withoutFloor(got.lse));
  compare('log-sum-exp', written(merged.lse, whole, 1), truth.lse, naive.lse, 1);
}

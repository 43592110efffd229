// attentionProblem.ts: an attention problem on the host, and the checks of what callers give as one.
import { ShapeError } from '../device/errors.ts';
import { checkBoolean, checkFinite, checkWhole, describe, isRecord } from '../device/options.ts';
import { checkKvLens, checkQLens } from '../numbers/kvLens.ts';
import { checkProblemFeatures, type ProblemFeatures } from './problemFeatures.ts';

/** One attention problem in host memory; k and v are the values a cache stores, already rounded to its element type. */
export interface AttentionProblem {
  readonly batch: number;
  readonly numQHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  /** Dv, elements of a value and of an output. Default D. */
  readonly vHeadDim?: number;
  readonly qLen: number;
  /** Query positions of each sequence: [B], each 0 to qLen, the first ones of its rows. Default: qLen each. */
  readonly qLens?: readonly number[];
  readonly causal: boolean;
  /** Token slots between two KV heads. */
  readonly capacity: number;
  readonly kvLens: readonly number[];
  readonly smScale: number;
  /** [B, Hq, Lq, D] */
  readonly q: Float32Array<ArrayBuffer>;
  /** [B, Hkv, capacity, D] */
  readonly k: Float32Array<ArrayBuffer>;
  /** [B, Hkv, capacity, Dv] */
  readonly v: Float32Array<ArrayBuffer>;
  /** What is done to scores and sums beyond the scale. Default: nothing. */
  readonly features?: ProblemFeatures;
}

/** Dv of a problem. */
export function vHeadDimOf({
  headDim,
  vHeadDim = headDim,
}: Pick<AttentionProblem, 'headDim' | 'vHeadDim'>): number {
  return vHeadDim;
}

/** Query positions of sequence `b`. */
export function qLenOf({ qLens, qLen }: Pick<AttentionProblem, 'qLens' | 'qLen'>, b: number): number {
  return qLens === undefined ? qLen : qLens[b]!;
}

const COUNTS = ['batch', 'numQHeads', 'numKvHeads', 'headDim', 'qLen', 'capacity'] as const;

type Sizes = Pick<
  AttentionProblem,
  (typeof COUNTS)[number] | 'vHeadDim' | 'qLens' | 'causal' | 'kvLens' | 'features'
>;

/** Throws ShapeError unless the sizes of a problem fit each other. Head dims that no kernel knows are taken. */
export function checkSizes(where: string, sizes: Sizes): void {
  for (const name of COUNTS) checkWhole(`${where}: ${name}`, sizes[name], 1, Number.MAX_SAFE_INTEGER);
  checkWhole(`${where}: vHeadDim`, vHeadDimOf(sizes), 1, Number.MAX_SAFE_INTEGER);
  const { batch, numQHeads, numKvHeads, capacity } = sizes;
  if (numQHeads % numKvHeads !== 0) {
    throw new ShapeError(
      `${where}: expected numQHeads to be a multiple of numKvHeads, got ${numQHeads} and ${numKvHeads}`,
    );
  }
  checkBoolean(`${where}: causal`, sizes.causal);
  checkKvLens(where, sizes.kvLens, batch, capacity);
  if (sizes.qLens !== undefined) checkQLens(where, sizes.qLens, batch, sizes.qLen);
  checkProblemFeatures(where, sizes);
}

/** Throws ShapeError unless q, k and v are as long as the sizes say. */
export function checkData(
  where: string,
  sizes: Sizes,
  { q, k, v }: Pick<AttentionProblem, 'q' | 'k' | 'v'>,
): void {
  const { batch, numQHeads, numKvHeads, headDim, qLen, capacity } = sizes;
  checkFloats(`${where}: q`, q, batch * numQHeads * qLen * headDim);
  checkFloats(`${where}: k`, k, batch * numKvHeads * capacity * headDim);
  checkFloats(`${where}: v`, v, batch * numKvHeads * capacity * vHeadDimOf(sizes));
}

/** Throws ShapeError unless this is a whole problem. */
export function checkProblem(where: string, problem: AttentionProblem): void {
  if (!isRecord(problem)) {
    throw new ShapeError(`${where}: expected an attention problem, got ${describe(problem)}`);
  }
  checkSizes(where, problem);
  checkFinite(`${where}: smScale`, problem.smScale);
  checkData(where, problem, problem);
}

/** Throws ShapeError unless this is a Float32Array, of whichever realm, of `count` numbers. */
export function checkFloats(where: string, values: Float32Array, count: number): void {
  if (Object.prototype.toString.call(values) !== '[object Float32Array]') {
    throw new ShapeError(`${where}: expected a Float32Array of ${count} numbers, got ${describe(values)}`);
  }
  if (values.length !== count) {
    throw new ShapeError(`${where}: expected ${count} numbers, got ${values.length}`);
  }
}

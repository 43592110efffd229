// problemFeatures.ts: the features of an attention problem, with their numbers: checked, and what they do to one score.
import { ShapeError } from '../device/errors.ts';
import { checkFinite, checkOptions, checkWhole, describe, isObject, type Known } from '../device/options.ts';
import { LSE_EMPTY } from '../numbers/lse.ts';
import { checkFeatures, type FeatureOptions } from '../kernels/features.ts';

/** A bias with the sizes of its axes, each but the last the problem's or 1; keys: the longest length or more. */
export interface ProblemBias {
  readonly shape: readonly [batch: number, heads: number, positions: number, keys: number];
  readonly values: Float32Array<ArrayBuffer>;
}

/** A bias by head and distance: [Hq, 2 * farthest + 1], from `farthest` slots before a row's own to as many behind it. */
export interface ProblemRelativeBias {
  readonly farthest: number;
  readonly values: Float32Array<ArrayBuffer>;
}

/** What is done to scores and sums beyond the scale; each as `FeatureOptions` says. Default: nothing. */
export interface ProblemFeatures {
  readonly softcap?: number;
  readonly window?: number;
  readonly sinkTokens?: number;
  /** [Hq] */
  readonly sinkLogits?: readonly number[];
  /** [Hq] */
  readonly alibiSlopes?: readonly number[];
  readonly bias?: ProblemBias;
  readonly relativeBias?: ProblemRelativeBias;
  /** [B][Lq]: bit j says whether the position sees the step's j-th key. */
  readonly treeMasks?: readonly (readonly bigint[])[];
}

const PROBLEM_FEATURES = {
  softcap: true,
  window: true,
  sinkTokens: true,
  sinkLogits: true,
  alibiSlopes: true,
  bias: true,
  relativeBias: true,
  treeMasks: true,
} satisfies Known<ProblemFeatures>;

/** What a decoder of the problem is created with. */
export function featureOptionsOf(features: ProblemFeatures = {}): FeatureOptions {
  const { softcap, window, sinkTokens, sinkLogits, alibiSlopes, bias, relativeBias, treeMasks } = features;
  return {
    ...(softcap !== undefined && { softcap }),
    ...(window !== undefined && { window }),
    ...(sinkTokens !== undefined && { sinkTokens }),
    ...(sinkLogits && { sinkLogits: true }),
    ...(alibiSlopes && { alibi: true }),
    ...(bias && { bias: true }),
    ...(relativeBias && { relativeBias: relativeBias.farthest }),
    ...(treeMasks && { treeMask: true }),
  };
}

/** The sizes that features have to fit. */
interface Sizes {
  readonly batch: number;
  readonly numQHeads: number;
  readonly qLen: number;
  readonly qLens?: readonly number[];
  readonly causal: boolean;
  readonly kvLens: readonly number[];
  readonly features?: ProblemFeatures;
}

/** Throws ShapeError unless the features go together and have the problem's sizes. */
export function checkProblemFeatures(where: string, sizes: Sizes): void {
  const { batch, numQHeads, qLen, qLens, causal, kvLens, features } = sizes;
  if (features === undefined) return;
  const at = `${where}: features`;
  checkOptions(at, features, PROBLEM_FEATURES);
  checkFeatures(at, featureOptionsOf(features), causal);
  const { sinkLogits, alibiSlopes, bias, relativeBias, treeMasks } = features;
  for (const [name, numbers] of Object.entries({ sinkLogits, alibiSlopes })) {
    if (numbers === undefined) continue;
    checkLength(`${at}: ${name}`, numbers, numQHeads);
    numbers.forEach((x, head) => checkFinite(`${at}: ${name}[${head}]`, x));
  }
  if (bias) checkBias(`${at}: bias`, bias, [batch, numQHeads, qLen], Math.max(1, ...kvLens));
  if (relativeBias) {
    checkLength(
      `${at}: relativeBias: values`,
      relativeBias.values,
      numQHeads * (2 * relativeBias.farthest + 1),
    );
  }
  if (!treeMasks) return;
  checkLength(`${at}: treeMasks`, treeMasks, batch);
  treeMasks.forEach((masks, b) => checkLength(`${at}: treeMasks[${b}]`, masks, qLens?.[b] ?? qLen));
}

function checkLength(where: string, list: { readonly length: number }, count: number): void {
  if (isObject(list) && list.length === count) return;
  throw new ShapeError(`${where}: expected ${count} entries, got ${describe(list)}`);
}

function checkBias(
  where: string,
  { shape, values }: ProblemBias,
  sizes: readonly number[],
  keys: number,
): void {
  checkLength(`${where}: shape`, shape, 4);
  for (const [axis, size] of sizes.entries()) {
    if (shape[axis] !== 1) checkWhole(`${where}: shape[${axis}]`, shape[axis]!, size, size);
  }
  checkWhole(`${where}: shape[3]`, shape[3], keys, Number.MAX_SAFE_INTEGER);
  checkLength(`${where}: values`, values, shape[0] * shape[1] * shape[2] * shape[3]);
}

/** A query row: sequence, query head and position of the step, and its own key. */
export interface RowPlace {
  readonly b: number;
  readonly h: number;
  readonly i: number;
  /** Slot of the row's own token; below 0 where a sequence is shorter than its step. */
  readonly own: number;
}

/** Whether the row sees a key that causality leaves it. */
export function featuresShow(
  { window, sinkTokens = 0, bias, treeMasks }: ProblemFeatures,
  row: RowPlace,
  t: number,
): boolean {
  if (window !== undefined && t <= row.own - window && t >= sinkTokens) return false;
  const added = t - (row.own - row.i); // the step's keys count from 0
  if (treeMasks && added >= 0 && ((treeMasks[row.b]![row.i]! >> BigInt(added)) & 1n) === 0n) return false;
  return !bias || !(biasOf(bias, row, t) <= LSE_EMPTY);
}

/** The score after softcap, ALiBi and a bias of either kind; `round` after every operation. */
export function featuredScore(
  { softcap, alibiSlopes, bias, relativeBias }: ProblemFeatures,
  score: number,
  row: RowPlace,
  t: number,
  round: (x: number) => number,
): number {
  const cap = softcap === undefined ? undefined : Math.fround(softcap);
  const capped = cap === undefined ? score : round(cap * round(Math.tanh(round(score / cap))));
  const slope = alibiSlopes ? Math.fround(alibiSlopes[row.h]!) : 0;
  const sloped = slope === 0 ? capped : round(capped + round(slope * (t - row.own)));
  if (relativeBias) return round(sloped + relativeBiasOf(relativeBias, row, t));
  return bias ? round(sloped + biasOf(bias, row, t)) : sloped;
}

function relativeBiasOf({ farthest, values }: ProblemRelativeBias, { h, own }: RowPlace, t: number): number {
  const distance = Math.max(-farthest, Math.min(farthest, t - own));
  return values[h * (2 * farthest + 1) + farthest + distance]!;
}

function biasOf({ shape, values }: ProblemBias, { b, h, i }: RowPlace, t: number): number {
  const [batch, heads, positions, keys] = shape;
  const at = ((batch === 1 ? 0 : b) * heads + (heads === 1 ? 0 : h)) * positions + (positions === 1 ? 0 : i);
  return values[at * keys + t]!;
}

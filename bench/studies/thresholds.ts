// thresholds.ts: lengths at which the plan of a step changes in kind; pure.
import { cacheLayout, checkShape, type KvType } from '../../src/index.ts';
import { planDecode, type DecodePlan } from '../../src/decode/plan.ts';
import type { PlanContext } from '../../src/decode/planContext.ts';
import { SPLIT_GRAIN } from '../../src/decode/planContext.ts';

/** A shape, and the sequences of its batch as shares of the longest. */
export interface LoadShape {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly type: KvType;
  readonly shares: readonly number[];
}

/** Two lengths of the longest sequence, a grain apart, whose plans differ in kind. */
export interface Threshold {
  readonly load: LoadShape;
  readonly length: number;
  readonly next: number;
  readonly before: DecodePlan;
  readonly after: DecodePlan;
}

const HEADS = [
  { heads: 32, kvHeads: 32 },
  { heads: 32, kvHeads: 8 },
  { heads: 32, kvHeads: 1 },
  { heads: 8, kvHeads: 1 },
];

const BATCHES = [[1], [1, 1 / 2, 1 / 4, 1 / 8]];

/** MHA, GQA and MQA of a large model and MQA of a small one; one sequence each, and four of unequal length. */
export function loadShapes(type: KvType): LoadShape[] {
  return HEADS.flatMap((heads) => BATCHES.map((shares) => ({ ...heads, headDim: 128, type, shares })));
}

/** The shape and the cache of a load whose longest sequence has so many token slots. */
export function loadAt({ heads, kvHeads, headDim, type, shares }: LoadShape, capacity: number) {
  const common = { batch: shares.length, numKvHeads: kvHeads, headDim };
  const shape = checkShape({ ...common, numQHeads: heads });
  return { shape, layout: cacheLayout({ ...common, capacity, kType: type }) };
}

/** Lengths of all sequences when the longest has so many keys. */
export function lensAt({ shares }: LoadShape, longest: number): number[] {
  return shares.map((share) => Math.max(1, Math.round(share * longest)));
}

/**
 * Every length up to `upTo` where a grain more changes how many splits the longest sequence has, or how many dispatches
 * the step. `contextAt` gives a decoder's context for a cache of so many token slots.
 */
export function findThresholds(
  load: LoadShape,
  upTo: number,
  contextAt: (capacity: number) => PlanContext,
): Threshold[] {
  const found: Threshold[] = [];
  for (let next = 2 * SPLIT_GRAIN; next <= upTo; next += SPLIT_GRAIN) {
    const length = next - SPLIT_GRAIN;
    const context = contextAt(next);
    const before = planDecode(context, lensAt(load, length));
    const after = planDecode(context, lensAt(load, next));
    if (kindOf(before) !== kindOf(after)) found.push({ load, length, next, before, after });
  }
  return found;
}

function kindOf({ numSplits, dispatches }: DecodePlan): string {
  return `${numSplits} splits, ${dispatches.join(', ')}`;
}

/** Of each octave of lengths the threshold where the splits change most; of equal ones the first. */
export function steepest(thresholds: readonly Threshold[]): Threshold[] {
  const chosen = new Map<number, Threshold>();
  for (const threshold of thresholds) {
    const octave = Math.floor(Math.log2(threshold.length));
    const held = chosen.get(octave);
    if (!held || steepness(threshold) > steepness(held)) chosen.set(octave, threshold);
  }
  return [...chosen.values()];
}

function steepness({ before, after }: Threshold): number {
  return Math.abs(Math.log(after.numSplits / before.numSplits));
}

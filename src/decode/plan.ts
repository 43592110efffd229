// plan.ts: from a shape, lengths and facts of a device to what a step dispatches; pure.
import { bytesOfTokens, checkCacheLayout, checkKvLens } from '../cache/layout.ts';
import { ShapeError } from '../device/errors.ts';
import { checkOptions, describe, isObject, type Known, checkNumbers } from '../device/options.ts';
import { workgroupsPerItem, checkVariantForm } from '../kernels/fused.ts';
import type { Grid } from '../kernels/kernel.ts';
import { type GqaShape, checkGqaShape } from '../kernels/shape.ts';
import { packStep, type StepItem, type StepSequence } from '../kernels/stepNumbers.ts';
import { partialBytes, type DecodeKernel, type PlanContext } from './planContext.ts';
import { chooseSplitLen, longestOf, type SplitOptions } from './split.ts';
import { checkTreeMasks, type TreeMasks } from './treeMasks.ts';

/** How to split the keys. Without options: as many workgroups as the device needs to be busy, no more. */
export interface PlanOptions extends SplitOptions {
  /** Factor on q . k, a finite f32. Default 1 / sqrt(D). */
  readonly smScale?: number;
  /** Which of the step's own keys each position sees, [B][Lq], for decoders with `features.treeMask`; others have none. */
  readonly treeMasks?: TreeMasks;
}

/** The fields of PlanOptions. */
export const PLAN_OPTIONS = {
  smScale: true,
  treeMasks: true,
  numSplits: true,
  deterministic: true,
} satisfies Known<PlanOptions>;

/** What a step does, and what it costs. */
export interface DecodePlan {
  readonly shape: GqaShape;
  readonly kernel: DecodeKernel;
  readonly kvLens: readonly number[];
  /** Keys of each sequence that any of its positions sees: fewer than `kvLens` where there is a window. */
  readonly liveLens: readonly number[];
  /** Splits of the longest sequence and keys of a split; 1 and the longest length for the plain kernel. */
  readonly numSplits: number;
  readonly splitLen: number;
  /** Pieces of work over all sequences: each is a split of one. */
  readonly items: number;
  readonly smScale: number;
  /** Workgroups of the fused kernel; the plain kernels have grids of their own (kernels/plain.ts). */
  readonly grid: Grid;
  /** Whether any sequence is split, so that a merge follows. */
  readonly merges: boolean;
  /** Kernels dispatched, in order. */
  readonly dispatches: readonly string[];
  /** Bytes that must move in one layer: K and V once, q in, o and lse out, partial states out and in again. */
  readonly bytes: { readonly kv: number; readonly q: number; readonly out: number; readonly partial: number };
  /** @internal The versions of the page tables that it was made over: [B], of a cache of pages. */
  readonly pageVersions?: readonly number[];
  /** @internal The `step` binding's words. */
  readonly stepWords: Uint32Array<ArrayBuffer>;
}

/** Where the tokens of a plan's sequences lie. */
export interface PlanPages {
  /** Pages of each sequence. */
  readonly lists: readonly (readonly number[])[];
  /** `PageTables.versions` of then. */
  readonly versions: readonly number[];
}

/** Which context each plan was made from: a plan is for decoders of that one. */
const contexts = new WeakMap<DecodePlan, PlanContext>();

/** Throws ShapeError unless `plan` was made from the context. */
export function checkPlan(where: string, plan: DecodePlan, context: PlanContext): void {
  const known = isObject(plan) ? contexts.get(plan) : undefined;
  if (known === context) return;
  if (known) throw new ShapeError(`${where}: the plan was made by another decoder`);
  throw new ShapeError(`${where}: expected a plan that decoder.plan() gave, got ${describe(plan)}`);
}

/**
 * Plans one step; needs no device. One plan serves all layers.
 * @param context of the decoder: `Decoder.context`
 * @param kvLens keys that each sequence attends to, the new ones included: [B], each 0 to the capacity
 * @param options scale and splits; default 1 / sqrt(D), and as many splits as keep the device busy
 * @param pages where the tokens lie, in a cache of pages; without them the plan is for looking at alone
 */
export function planDecode(
  context: PlanContext,
  kvLens: readonly number[],
  options: PlanOptions = {},
  pages?: PlanPages,
): DecodePlan {
  checkContext(context);
  const { shape, layout, kernel } = context;
  checkOptions('plan', options, PLAN_OPTIONS);
  checkKvLens('plan', kvLens, shape.batch, layout.capacity);
  const { smScale = 1 / Math.sqrt(shape.headDim) } = options;
  if (typeof smScale !== 'number' || !Number.isFinite(Math.fround(smScale)))
    throw new ShapeError(`plan: smScale: expected a finite number, got ${describe(smScale)}`);
  const trees = checkTreeMasks(options.treeMasks, shape);
  const liveLens = kvLens.map((kvLen) => liveLen(shape, kvLen));
  const plain = kernel === 'plain'; // its kernels walk along all keys
  const splitLen = plain ? Math.max(1, longestOf(kvLens)) : chooseSplitLen(context, liveLens, options);
  const { words, items, partials } = stepWords(context, {
    kvLens,
    liveLens,
    splitLen,
    smScale,
    trees,
    pages,
  });
  const plan: DecodePlan = {
    shape,
    kernel,
    kvLens: [...kvLens],
    liveLens,
    numSplits: Math.max(1, Math.ceil(longestOf(liveLens) / splitLen)),
    splitLen,
    items,
    smScale,
    grid: [workgroupsPerItem(shape, context.variant), items, 1],
    merges: partials > 0,
    dispatches: dispatchNames(kernel, partials > 0),
    bytes: {
      kv: bytesOfTokens(layout, liveLens),
      q: shape.rows * shape.headDim * 4,
      out: shape.rows * (shape.vHeadDim + 1) * 4,
      partial: 2 * partialBytes(shape, partials),
    },
    ...(pages && { pageVersions: pages.versions }),
    stepWords: words,
  };
  contexts.set(plan, context);
  return plan;
}

function checkContext(context: PlanContext): void {
  checkNumbers(
    'plan: context',
    context,
    ['maxSplits', 'maxPartials', 'slots', 'wholeLen', 'minSplitLen'],
    'planContext',
  );
  checkGqaShape('plan: context.shape', context.shape);
  checkCacheLayout('plan: context.layout', context.layout);
  checkVariantForm('plan: context.variant', context.variant);
}

function dispatchNames(kernel: DecodeKernel, merges: boolean): string[] {
  if (kernel === 'plain') return ['plain_scores', 'plain_softmax', 'plain_av'];
  return merges ? [`decode_${kernel}`, 'decode_merge'] : [`decode_${kernel}`];
}

/** Keys that any position sees: the window of the first begins the earliest. */
function liveLen({ qLen, features: { window } }: GqaShape, kvLen: number): number {
  return window === undefined ? kvLen : Math.min(kvLen, window + qLen - 1);
}

/** What the words of a step are made of. */
interface StepParts {
  readonly kvLens: readonly number[];
  readonly liveLens: readonly number[];
  readonly splitLen: number;
  readonly smScale: number;
  readonly trees: readonly bigint[];
  readonly pages: PlanPages | undefined;
}

/** The words of the `step` binding, and how many items and partial states they stand for. */
function stepWords(
  { layout }: PlanContext,
  { kvLens, liveLens, splitLen, smScale, trees, pages }: StepParts,
) {
  const sequences: StepSequence[] = [];
  const items: StepItem[] = [];
  let partials = 0;
  for (const [sequence, kvLen] of kvLens.entries()) {
    const first = kvLen - liveLens[sequence]!;
    const numSplits = Math.max(1, Math.ceil(liveLens[sequence]! / splitLen));
    const list = pages?.lists[sequence];
    sequences.push({ kvLen, firstState: partials, numSplits, ...(list && { pages: list }) });
    for (let s = 0; s < numSplits; s++) {
      const begin = first + s * splitLen;
      const keys = { sequence, begin, end: Math.min(kvLen, begin + splitLen) };
      items.push(numSplits > 1 ? { ...keys, state: partials++ } : keys);
    }
  }
  const { capacity, kScales, vScales } = layout;
  const words = packStep({ capacity, kScales, vScales, smScale }, sequences, items, trees);
  return { words, items: items.length, partials };
}

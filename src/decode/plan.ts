// plan.ts: from a shape, lengths and facts of a device to what a step dispatches; pure.
import { bytesOfTokens, checkCacheLayout, checkKvLens } from '../cache/layout.ts';
import { ShapeError } from '../device/errors.ts';
import { checkNumbers, checkOptions, checkWhole, describe, isObject, type Known } from '../device/options.ts';
import { checkVariantForm, fusedGrid, kernelName } from '../kernels/fused.ts';
import type { Grid } from '../kernels/kernel.ts';
import { rowGrid } from '../kernels/plain.ts';
import { rowsEnd, rowTypeBytes, type RowPlaces } from '../kernels/rowPlaces.ts';
import { type GqaShape, checkGqaShape } from '../kernels/shape.ts';
import { checkQLens } from '../numbers/kvLens.ts';
import { countKeys, cutBySegments, fromKey, liveKeys } from './liveKeys.ts';
import { partialBytes, type DecodeKernel, type PlanContext } from './planContext.ts';
import { chooseSplitLen, longestOf, longestRange, splitsOf, type SplitOptions } from './split.ts';
import { stepParts, type PlanPages, type StepParts } from './stepParts.ts';
import { checkTreeMasks, type TreeMasks } from './treeMasks.ts';

/** How to split the keys. Without options: as many workgroups as the device needs to be busy, no more. */
export interface PlanOptions extends SplitOptions {
  /** Query positions of each sequence: [B], each 0 to the decoder's qLen, of which a causal mask is aligned to the last. Default: qLen each. */
  readonly qLens?: readonly number[];
  /**
   * First key that each sequence attends to: [B], each 0 to its length. Those before are left out, as for a prefix that is attended to once for
   * several sequences and merged (`bindMerge`). Not with the plain kernel. Default: 0 each.
   */
  readonly firstKeys?: readonly number[];
  /** Factor on q . k, a finite f32. Default 1 / sqrt(D). */
  readonly smScale?: number;
  /** Which of the step's own keys each position sees, [B][Lq]. Default: none; decoders with `features.treeMask` need them, others refuse them. */
  readonly treeMasks?: TreeMasks;
}

/** The fields of PlanOptions. */
export const PLAN_OPTIONS = {
  qLens: true,
  firstKeys: true,
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
  /** Query positions of each sequence. */
  readonly qLens: readonly number[];
  /**
   * Keys of each sequence that any of its positions sees: fewer than `kvLens` where there is a window, none where there is no
   * position; sink tokens count.
   */
  readonly liveLens: readonly number[];
  /** Most splits of a sequence, and keys of a split; 1 and the longest length for the plain kernel. */
  readonly numSplits: number;
  readonly splitLen: number;
  /** Pieces of work over all sequences: each is a split of one. */
  readonly items: number;
  readonly smScale: number;
  /** Workgroups of the fused kernel, of all its dispatches; the plain kernels have grids of their own (kernels/plain.ts). */
  readonly grid: Grid;
  /** Whether any sequence is split, so that a merge follows. */
  readonly merges: boolean;
  /** Kernels dispatched, in order. */
  readonly dispatches: readonly string[];
  /** Bytes that must move in one layer: K and V once, q in, o and lse out, partial states out and in again. */
  readonly bytes: { readonly kv: number; readonly q: number; readonly out: number; readonly partial: number };
  /** @internal The versions of the page tables that it was made over: [B], of a cache of pages. */
  readonly pageVersions?: readonly number[];
  /** @internal Workgroups of kernels that own a row each: the merge, and the plain ones but for the scores. */
  readonly rowGrid: Grid;
  /** @internal Bytes that the rows reach in the buffers of q, o and lse. */
  readonly reach: { readonly q: number; readonly o: number; readonly lse: number };
  /** @internal The items of each segment that has some: one but beyond one binding. */
  readonly parts: readonly PlanPart[];
}

/** A dispatch of the step's items in one segment. */
export interface PlanPart {
  readonly segment: number;
  /** Workgroups of the fused kernel. */
  readonly grid: Grid;
  /** The `step` binding's words; those for the merge are the same in all parts. */
  readonly stepWords: Uint32Array<ArrayBuffer>;
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
  const { qLens = kvLens.map(() => shape.qLen) } = options;
  checkQLens('plan', qLens, shape.batch, shape.qLen);
  const { smScale = 1 / Math.sqrt(shape.headDim) } = options;
  if (typeof smScale !== 'number' || !Number.isFinite(Math.fround(smScale)))
    throw new ShapeError(`plan: smScale: expected a finite number, got ${describe(smScale)}`);
  const trees = checkTreeMasks(options.treeMasks, shape, qLens);
  const firstKeys = checkFirstKeys(options.firstKeys, kvLens, kernel);
  const live = kvLens.map((kvLen, b) => fromKey(liveKeys(shape, kvLen, qLens[b]!), firstKeys?.[b] ?? 0));
  const liveLens = live.map(countKeys);
  // The plain kernels walk along all keys at once.
  const walked =
    kernel === 'plain'
      ? kvLens.map((kvLen) => [{ begin: 0, end: kvLen }])
      : live.map((ranges, b) => (pages ? cutBySegments(ranges, pages.lists[b]!, layout) : ranges));
  const splitLen = splitLenOf(context, walked, qLens, options);
  const parts = { kvLens, qLens, walked, splitLen, smScale, trees, pages };
  const qLen = longestOf(qLens);
  const { items, partials, perSegment } = stepParts(context, parts);
  const rows = shape.numQHeads * qLens.reduce((sum, each) => sum + each, 0);
  const plan: DecodePlan = {
    shape,
    kernel,
    kvLens: [...kvLens],
    qLens: [...qLens],
    liveLens,
    numSplits: Math.max(1, ...walked.map((ranges) => splitsOf(ranges, splitLen))),
    splitLen,
    items,
    smScale,
    grid: fusedGrid(shape, context.variant, items, qLen),
    merges: partials > 0,
    dispatches: dispatchNames(kernel, perSegment.length, partials > 0),
    bytes: {
      kv: bytesOfTokens(layout, liveLens),
      q: rows * shape.headDim * rowTypeBytes(context.q.type),
      out: rows * (shape.vHeadDim * rowTypeBytes(context.o.type) + 4),
      partial: 2 * partialBytes({ ...shape, qLen }, partials),
    },
    ...(pages && { pageVersions: pages.versions }),
    rowGrid: rowGrid(shape, qLen),
    reach: reachOf(context, qLens),
    parts: perSegment.map(({ segment, count, words, heads }) => ({
      segment,
      grid: fusedGrid(shape, context.variant, count, qLen, heads),
      stepWords: words,
    })),
  };
  contexts.set(plan, context);
  return plan;
}

/** Contexts that were looked at: a decoder plans every step from the same one. */
const checked = new WeakSet<PlanContext>();

function checkContext(context: PlanContext): void {
  if (checked.has(context)) return;
  checkNumbers(
    'plan: context',
    context,
    ['maxSplits', 'maxPartials', 'slots', 'wholeLen', 'minSplitLen'],
    'planContext',
  );
  checkGqaShape('plan: context.shape', context.shape);
  checkCacheLayout('plan: context.layout', context.layout);
  checkVariantForm('plan: context.variant', context.variant);
  checked.add(context);
}

function checkFirstKeys(
  firstKeys: readonly number[] | undefined,
  kvLens: readonly number[],
  kernel: DecodeKernel,
): readonly number[] | undefined {
  if (firstKeys === undefined) return undefined;
  if (kernel === 'plain') {
    throw new ShapeError('plan: firstKeys: expected another kernel than plain, which attends to all keys');
  }
  if (!Array.isArray(firstKeys) || firstKeys.length !== kvLens.length) {
    const got = Array.isArray(firstKeys) ? firstKeys.length : describe(firstKeys);
    throw new ShapeError(`plan: firstKeys: expected ${kvLens.length} numbers, one per sequence, got ${got}`);
  }
  kvLens.forEach((kvLen, b) => checkWhole(`plan: firstKeys[${b}]`, firstKeys[b], 0, kvLen));
  return firstKeys;
}

function dispatchNames(kernel: DecodeKernel, parts: number, merges: boolean): string[] {
  const names = kernel === 'plain' ? ['plain_scores', 'plain_softmax', 'plain_av'] : [kernelName(kernel)];
  return [...Array.from({ length: parts }, () => names).flat(), ...(merges ? ['decode_merge'] : [])];
}

/** Keys of a split; the plain kernels have none. */
function splitLenOf(
  context: PlanContext,
  walked: StepParts['walked'],
  qLens: readonly number[],
  options: PlanOptions,
): number {
  if (context.kernel === 'plain') return longestRange(walked);
  return chooseSplitLen(context, walked, Math.max(1, longestOf(qLens)), options);
}

function reachOf({ shape, q, o, lse }: PlanContext, qLens: readonly number[]): DecodePlan['reach'] {
  const bytes = (places: RowPlaces) => rowsEnd(places, shape.numQHeads, qLens) * rowTypeBytes(places.type);
  return { q: bytes(q), o: bytes(o), lse: bytes(lse) };
}

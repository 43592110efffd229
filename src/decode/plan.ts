// plan.ts: from a shape, lengths and facts of a device to what a step dispatches; pure.
import { checkKvLens, kvBytesRead, type CacheLayout } from '../cache/layout.ts';
import { ShapeError } from '../device/errors.ts';
import type { DeviceFacts } from '../device/gqaDevice.ts';
import { chooseSplitVariant, splitGrid, type SplitVariant } from '../kernels/decodeSplit.ts';
import type { Grid } from '../kernels/kernel.ts';
import { checkWhole, type GqaShape } from '../kernels/shape.ts';

/** `fused`: split and merge. `plain`: three simple steps, the yardstick. */
export type DecodeKernel = 'fused' | 'plain';

export const DECODE_KERNELS: readonly DecodeKernel[] = ['fused', 'plain'];

/** Most splits of a step by default: the merge reads one partial state per split and row. */
export const MAX_SPLITS = 64;

/** Fewest keys worth a split of their own. */
const MIN_SPLIT_LEN = 128;

/** Split length of the deterministic mode. */
const FIXED_SPLIT_LEN = 256;

/** How to split the keys. Without options: as many workgroups as the device needs to be busy, no more. */
export interface PlanOptions {
  /** Factor on q . k. Default 1 / sqrt(D). */
  readonly smScale?: number;
  /** This many splits of the longest sequence, or fewer where whole tiles do not come to as many. */
  readonly numSplits?: number;
  /**
   * A split length that depends on the capacity alone: a sequence's result then has the same bits whatever else is
   * in the batch and however long the others are.
   */
  readonly deterministic?: boolean;
}

/** What a step does, and what it costs. */
export interface DecodePlan {
  readonly shape: GqaShape;
  readonly kernel: DecodeKernel;
  readonly kvLens: readonly number[];
  /** Splits of the longest sequence and keys of a split; 1 and the longest length for the plain kernel. */
  readonly numSplits: number;
  readonly splitLen: number;
  readonly smScale: number;
  /** Workgroups of decode_split; the plain kernels have grids of their own (kernels/plain.ts). */
  readonly grid: Grid;
  /** Kernels dispatched, in order. */
  readonly dispatches: readonly string[];
  /** Bytes that must move in one layer: K and V once, q in, o and lse out, partial states out and in again. */
  readonly bytes: { readonly kv: number; readonly q: number; readonly out: number; readonly partial: number };
  /** @internal The `step` binding's words: lib/step.wgsl. */
  readonly stepWords: Uint32Array<ArrayBuffer>;
}

/** What stays the same over all plans of a decoder. */
export interface PlanContext {
  readonly shape: GqaShape;
  readonly layout: CacheLayout;
  readonly kernel: DecodeKernel;
  readonly variant: SplitVariant;
  /** Splits there is scratch memory for. */
  readonly maxSplits: number;
  /** Workgroups that keep the device busy. */
  readonly slots: number;
}

/** The context of a decoder: its kernel variant, scratch and slots. */
export function planContext(
  shape: GqaShape,
  layout: CacheLayout,
  facts: DeviceFacts,
  options: { readonly kernel?: DecodeKernel; readonly variant?: Partial<SplitVariant> } = {},
): PlanContext {
  const variant = { ...chooseSplitVariant(shape, facts, options.variant?.reduce), ...options.variant };
  const bytesPerSplit = shape.rows * partialBytesPerRow(shape);
  const fitting = Math.max(1, Math.floor(facts.maxBindingBytes / bytesPerSplit));
  const useful = Math.max(1, Math.ceil(layout.capacity / variant.tile));
  const maxSplits = Math.min(MAX_SPLITS, fitting, useful);
  return { shape, layout, kernel: options.kernel ?? 'fused', variant, maxSplits, slots: slotsOf(facts) };
}

/** Bytes of one partial state: o, m and l in f32. */
export function partialBytesPerRow(shape: GqaShape): number {
  return shape.headDim * 4 + 8;
}

/**
 * Workgroups that keep a device busy. WebGPU tells neither cores nor occupancy: for GPUs enough to hide memory
 * latency on large ones, for software adapters a few per core so that threads finish together.
 */
function slotsOf(facts: DeviceFacts): number {
  return facts.software ? 16 : 512;
}

/** Plans one step over `kvLens` (tokens to attend to per sequence, the new ones included). One plan serves all layers. */
export function planDecode(
  context: PlanContext,
  kvLens: readonly number[],
  options: PlanOptions = {},
): DecodePlan {
  const { shape, layout, kernel } = context;
  checkKvLens('plan', kvLens, shape.batch, layout.capacity);
  const smScale = options.smScale ?? 1 / Math.sqrt(shape.headDim);
  if (!Number.isFinite(Math.fround(smScale)))
    throw new ShapeError(`plan: smScale: expected a finite number, got ${smScale}`);
  const longest = Math.max(...kvLens);
  const splitLen = kernel === 'plain' ? Math.max(1, longest) : chooseSplitLen(context, kvLens, options);
  const numSplits = Math.max(1, Math.ceil(longest / splitLen));
  const rowBytes = shape.rows * shape.headDim * 4;
  const partial = numSplits > 1 ? 2 * shape.rows * numSplits * partialBytesPerRow(shape) : 0;
  return {
    shape,
    kernel,
    kvLens: [...kvLens],
    numSplits,
    splitLen,
    smScale,
    grid: splitGrid(shape, context.variant, numSplits),
    dispatches: dispatchNames(kernel, numSplits),
    bytes: { kv: kvBytesRead(layout, kvLens), q: rowBytes, out: rowBytes + shape.rows * 4, partial },
    stepWords: stepWords([numSplits, splitLen, layout.capacity], smScale, kvLens),
  };
}

function dispatchNames(kernel: DecodeKernel, numSplits: number): string[] {
  if (kernel === 'plain') return ['plain_scores', 'plain_softmax', 'plain_mix'];
  return numSplits > 1 ? ['decode_split', 'decode_merge'] : ['decode_split'];
}

/** Keys per split: a multiple of the tile. */
function chooseSplitLen(context: PlanContext, kvLens: readonly number[], options: PlanOptions): number {
  const { maxSplits, variant } = context;
  const { tile } = variant;
  const longest = Math.max(1, ...kvLens);
  if (options.numSplits !== undefined && options.deterministic) {
    throw new ShapeError('plan: expected numSplits or deterministic, got both');
  }
  if (options.numSplits !== undefined) {
    checkWhole('plan: numSplits', options.numSplits, 1, maxSplits);
    return roundUp(Math.ceil(longest / options.numSplits), tile);
  }
  if (options.deterministic) return fixedSplitLen(context, longest);
  const least = Math.max(roundUp(MIN_SPLIT_LEN, tile), roundUp(Math.ceil(longest / maxSplits), tile));
  return smallestFitting(context, kvLens, least, roundUp(longest, tile));
}

/** The deterministic split length. Throws ShapeError where a large batch leaves no scratch memory for so many splits. */
function fixedSplitLen({ layout, maxSplits, variant }: PlanContext, longest: number): number {
  const forCapacity = Math.ceil(layout.capacity / MAX_SPLITS);
  const splitLen = roundUp(Math.max(FIXED_SPLIT_LEN, forCapacity), variant.tile);
  checkWhole(`plan: deterministic splits of ${splitLen} keys`, Math.ceil(longest / splitLen), 1, maxSplits);
  return splitLen;
}

/**
 * The smallest split length whose workgroups fit the slots, by binary search over multiples of the tile
 * (FlashInfer's scheduler: include/flashinfer/attention/scheduler.cuh).
 */
function smallestFitting(
  context: PlanContext,
  kvLens: readonly number[],
  least: number,
  most: number,
): number {
  const { shape, variant, slots } = context;
  const perSplit = splitGrid(shape, variant, 1)[1];
  const workgroups = (splitLen: number) =>
    kvLens.reduce((sum, kvLen) => sum + Math.ceil(kvLen / splitLen), 0) * perSplit;
  let low = least / variant.tile;
  let high = Math.max(low, most / variant.tile);
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (workgroups(middle * variant.tile) <= slots) high = middle;
    else low = middle + 1;
  }
  return low * variant.tile;
}

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

/** The words of lib/step.wgsl's struct Step, in its order. */
function stepWords(counts: readonly [number, number, number], smScale: number, kvLens: readonly number[]) {
  const words = Uint32Array.of(...counts, 0, ...kvLens);
  new Float32Array(words.buffer)[3] = smScale;
  return words;
}

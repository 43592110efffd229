// planContext.ts: what stays the same over all plans of a decoder: its kernel variant, and how far it can split; pure.
import { headsOfDispatch } from '../cache/headSegments.ts';
import { checkCacheLayout, type CacheLayout } from '../cache/layout.ts';
import { checkFacts, type DeviceFacts } from '../device/deviceFacts.ts';
import { LimitExceededError } from '../device/errors.ts';
import { checkBoolean, checkOneOf, checkOptions, type Known } from '../device/options.ts';
import {
  checkVariantForm,
  chooseFused,
  chooseIn,
  FUSED_TEMPLATES,
  kernelName,
  rowBlocks,
  workgroupsPerItem,
  type FusedTemplate,
  type FusedVariant,
} from '../kernels/fused.ts';
import { spreadsHeads } from '../kernels/lib.ts';
import type { SubgroupReport } from '../kernels/probe/subgroupProbe.ts';
import { profileOf } from '../kernels/profile.ts';
import { askedSubgroupSize } from '../kernels/registersSizes.ts';
import { registerBudget, residentWorkgroups } from '../kernels/residency.ts';
import {
  checkApart,
  numberPlaces,
  rowPlaces,
  type RowPlaces,
  type RowsOptions,
} from '../kernels/rowPlaces.ts';
import { checkGqaShape, type GqaShape } from '../kernels/shape.ts';
import { mostRanges } from './liveKeys.ts';
import { checkEntry, type TunedEntry } from './tuning.ts';

/** A template of the fused kernel (one dispatch and, where sequences are split, a merge) or `plain`: three simple steps, the yardstick. */
export type DecodeKernel = FusedTemplate | 'plain';

/** What callers choose from. `auto`: what was tuned, else what suits the device by its class. */
export type KernelChoice = DecodeKernel | 'auto';

export const DECODE_KERNELS: readonly DecodeKernel[] = [...FUSED_TEMPLATES, 'plain'];

/**
 * Most memory for partial states, where bindings could be larger: the deterministic mode of 64 sequences of an 8B model
 * with 128k tokens each needs half of it. A step that is split to fill a device needs a few MB.
 */
const PARTIAL_BYTES = 128 * 2 ** 20;

/** Split lengths are multiples of this many keys, whatever the kernel's sizes and the device's subgroups. */
export const SPLIT_GRAIN = 32;

/** Most splits of a sequence, where it does not take more to fill the device: the merge reads one partial state per split and row. */
const MAX_SPLITS = 128;

/** What stays the same over all plans of a decoder. */
export interface PlanContext {
  readonly shape: GqaShape;
  readonly layout: CacheLayout;
  readonly kernel: DecodeKernel;
  /** The fused kernel's variant; of the plain kernel, what `auto` would take. */
  readonly variant: FusedVariant;
  /** Size that the kernel's subgroups are asked to have; absent: what the device likes. */
  readonly subgroupSize?: number;
  /** Where the rows of q, o and lse lie. */
  readonly q: RowPlaces;
  readonly o: RowPlaces;
  readonly lse: RowPlaces;
  /** Most splits of a sequence, and partial states of splits that there is scratch memory for. */
  readonly maxSplits: number;
  readonly maxPartials: number;
  /** Workgroups that keep the device busy: as many of the variant as its cores run side by side, or as were found by tuning. */
  readonly slots: number;
  /** Longest sequence that is not worth splitting. */
  readonly wholeLen: number;
  /** Fewest keys that are worth a split of their own. */
  readonly minSplitLen: number;
  /** Whether plans may fix their splits. */
  readonly fixedSplits: boolean;
  /** Why what was tuned for the device and this class of shapes was not taken; absent where it was, or nothing was tuned. */
  readonly tunedFault?: string;
  /** What a probe saw of the device's subgroups; its fault is why none of the kernels on subgroups was taken. */
  readonly subgroups?: SubgroupReport;
}

/** What a decoder may be told; the rest follows from device and shape. */
export interface ContextOptions {
  /** Default `auto`: what was tuned, else what suits the device by its class. */
  readonly kernel?: KernelChoice;
  /** The fused kernel's sizes, for tests and tuning. Decides the kernel too. Default: what suits device and shape. */
  readonly variant?: FusedVariant;
  /** How queries are stored: heads are the Hq query heads. Default f32 [B, Hq, Lq, D]. */
  readonly q?: RowsOptions;
  /** How outputs are stored, rows of Dv elements that do not overlap. Default f32 [B, Hq, Lq, Dv]; f16 is rounded to the nearest, past 65504 to infinity. */
  readonly o?: RowsOptions;
  /** What was measured on this device for this shape, as `Tuning.for` finds it. Default: nothing was. */
  readonly tuned?: TunedEntry;
  /**
   * Scratch memory for plans with `numSplits` or `deterministic`: up to 128 MiB for a large batch. Default false: as much as
   * plans need that split to fill the device. A state of its rows for each workgroup that the device runs side by side: a few MiB.
   */
  readonly fixedSplits?: boolean;
}

/** The fields of ContextOptions. */
export const CONTEXT_OPTIONS = {
  kernel: true,
  variant: true,
  q: true,
  o: true,
  tuned: true,
  fixedSplits: true,
} satisfies Known<ContextOptions>;

/**
 * The context of a decoder: its kernel variant, scratch and slots; needs no device.
 * @param shape as `checkShape` returns it
 * @param layout of the cache, as `cacheLayout` returns it
 * @param facts of the device: `GqaDevice.facts`
 * @param options which kernel; default: what suits the device
 */
export function planContext(
  shape: GqaShape,
  layout: CacheLayout,
  facts: DeviceFacts,
  options: ContextOptions = {},
): PlanContext {
  checkOptions('planContext', options, CONTEXT_OPTIONS);
  checkKernel('planContext', options.kernel);
  checkGqaShape('planContext: shape', shape);
  checkCacheLayout('planContext: layout', layout);
  checkFacts('planContext: facts', facts);
  checkChoice('planContext', options);
  const rows = placesOf(shape, options);
  const variant = chooseVariant(shape, layout, facts, options);
  checkGrid(rowBlocks(shape, variant, shape.qLen), variant.template, facts);
  const kernel = options.kernel === 'plain' ? 'plain' : variant.template;
  const subgroupSize = variant.template === 'registers' ? askedSubgroupSize(variant.lanes, facts) : undefined;
  const fitting = Math.max(
    1,
    Math.floor(Math.min(facts.maxBindingBytes, PARTIAL_BYTES) / partialBytes(shape, 1)),
  );
  const useful = Math.max(1, Math.ceil(layout.capacity / SPLIT_GRAIN));
  const profile = profileOf(facts);
  const { wholeLen, minSplitLen } = profile;
  const slots = options.tuned?.slots ?? residentWorkgroups(profile, registerBudget(profile), variant.wgSize);
  // As many items as fill the slots; a plan that may choose splits no further.
  const perItem = workgroupsPerItem(shape, variant, shape.qLen, headsOfDispatch(layout));
  const filling = Math.max(1, Math.floor(slots / perItem));
  const maxSplits = Math.min(Math.max(MAX_SPLITS, filling), fitting, useful);
  const { fixedSplits = false } = options;
  // Sequences that are more than one range of keys are always split: by their windows, and where their pages change segments.
  const changes = spreadsHeads(layout) ? 0 : layout.segments - 1;
  const ranges = mostRanges(shape) + 2 * changes;
  const least = ranges > 1 ? shape.batch * ranges : 0;
  if (least > fitting) {
    // A smaller batch or fewer positions of a step would do.
    const what = `decoder: ${least} partial states, for features.sinkTokens or segments split every sequence`;
    const bytes = partialBytes(shape, least);
    throw new LimitExceededError(what, 'maxStorageBufferBindingSize', bytes, facts.maxBindingBytes);
  }
  // Items are workgroups of one dispatch: those with a state, and one for each sequence that is not split.
  const most = Math.min(fitting, shape.batch * maxSplits * ranges, facts.maxGrid - shape.batch);
  // Each segment's items fill the slots; heads of one sequence have their states in common.
  const segments = spreadsHeads(layout) ? Math.min(layout.segments, shape.batch) : layout.segments;
  const room = Math.max(least, fixedSplits ? most : Math.min(most, filling * segments));
  const maxPartials = room > 1 ? room : 0; // a split alone is none
  return {
    shape,
    layout,
    kernel,
    variant,
    ...rows,
    maxSplits,
    maxPartials,
    slots,
    wholeLen,
    minSplitLen,
    fixedSplits,
    ...(subgroupSize !== undefined && { subgroupSize }),
  };
}

function checkGrid(blocks: number, template: FusedTemplate, { maxGrid }: DeviceFacts): void {
  if (blocks > maxGrid) {
    throw new LimitExceededError(kernelName(template), 'maxComputeWorkgroupsPerDimension', blocks, maxGrid);
  }
}

/** Throws ShapeError for a variant, something tuned or `fixedSplits` that is none. */
export function checkChoice(where: string, { variant, tuned, fixedSplits }: ContextOptions): void {
  if (fixedSplits !== undefined) checkBoolean(`${where}: fixedSplits`, fixedSplits);
  if (variant !== undefined) checkVariantForm(`${where}: variant`, variant);
  if (tuned === undefined) return;
  checkEntry(`${where}: tuned`, tuned);
  checkVariantForm(`${where}: tuned: variant`, tuned.variant);
}

/** Throws ShapeError for a kernel that there is none of. */
export function checkKernel(where: string, kernel: KernelChoice = 'auto'): void {
  checkOneOf(`${where}: kernel`, kernel, ['auto', ...DECODE_KERNELS]);
}

function placesOf(shape: GqaShape, { q = {}, o = {} }: ContextOptions): Pick<PlanContext, 'q' | 'o' | 'lse'> {
  const axes = { batch: shape.batch, heads: shape.numQHeads, qLen: shape.qLen };
  const places = {
    q: rowPlaces('decoder: q', q, axes, shape.headDim),
    o: rowPlaces('decoder: o', o, axes, shape.vHeadDim),
  };
  checkApart('decoder: o', places.o, axes);
  return { ...places, lse: numberPlaces(places.o, axes) };
}

function chooseVariant(
  shape: GqaShape,
  layout: CacheLayout,
  facts: DeviceFacts,
  { kernel = 'auto', variant, tuned }: ContextOptions,
): FusedVariant {
  if (variant) return variant;
  if (kernel !== 'auto' && kernel !== 'plain') {
    return tuned?.variant.template === kernel ? tuned.variant : chooseIn(kernel, shape, layout, facts);
  }
  return tuned?.variant ?? chooseFused(shape, layout, facts);
}

/** Bytes of `states` partial states of a sequence's rows: o, m, l and two zeros in f32. */
export function partialBytes(shape: GqaShape, states: number): number {
  return states * shape.numQHeads * shape.qLen * (shape.vHeadDim + 4) * 4;
}

// plan.ts: from a shape, lengths and facts of a device to what a step dispatches; pure.
import { bytesOfTokens, checkCacheLayout, checkKvLens, type CacheLayout } from '../cache/layout.ts';
import { ShapeError } from '../device/errors.ts';
import type { DeviceFacts } from '../device/gqaDevice.ts';
import { checkFacts } from '../device/deviceFacts.ts';
import { checkNumbers, checkOneOf, checkOptions, describe, isObject, type Known } from '../device/options.ts';
import {
  checkVariantForm,
  chooseFused,
  chooseIn,
  FUSED_TEMPLATES,
  workgroupsPerItem,
  type FusedTemplate,
  type FusedVariant,
} from '../kernels/fused.ts';
import type { Grid } from '../kernels/kernel.ts';
import { profileOf } from '../kernels/profile.ts';
import { checkGqaShape, type GqaShape } from '../kernels/shape.ts';
import type { SubgroupReport } from '../kernels/subgroupProbe.ts';
import { chooseSplitLen, longestOf, type SplitOptions } from './split.ts';
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

/** Most splits of a sequence: the merge reads one partial state per split and row. */
const MAX_SPLITS = 128;

/** How to split the keys. Without options: as many workgroups as the device needs to be busy, no more. */
export interface PlanOptions extends SplitOptions {
  /** Factor on q . k, a finite f32. Default 1 / sqrt(D). */
  readonly smScale?: number;
}

/** The fields of PlanOptions. */
export const PLAN_OPTIONS = {
  smScale: true,
  numSplits: true,
  deterministic: true,
} satisfies Known<PlanOptions>;

/** What a step does, and what it costs. */
export interface DecodePlan {
  readonly shape: GqaShape;
  readonly kernel: DecodeKernel;
  readonly kvLens: readonly number[];
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
  /** @internal The `step` binding's words: lib/step.wgsl. */
  readonly stepWords: Uint32Array<ArrayBuffer>;
}

/** What stays the same over all plans of a decoder. */
export interface PlanContext {
  readonly shape: GqaShape;
  readonly layout: CacheLayout;
  readonly kernel: DecodeKernel;
  /** The fused kernel's variant; of the plain kernel, what `auto` would take. */
  readonly variant: FusedVariant;
  /** Most splits of a sequence, and partial states of splits that there is scratch memory for. */
  readonly maxSplits: number;
  readonly maxPartials: number;
  /** Workgroups that keep the device busy. */
  readonly slots: number;
  /** Longest sequence that is not worth splitting. */
  readonly wholeLen: number;
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
  /** What was measured on this device for this shape, as `tunedFor` finds it. Default: nothing was. */
  readonly tuned?: TunedEntry;
}

/** The fields of ContextOptions. */
export const CONTEXT_OPTIONS = { kernel: true, variant: true, tuned: true } satisfies Known<ContextOptions>;

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
  const variant = chooseVariant(shape, layout, facts, options);
  const kernel = options.kernel === 'plain' ? 'plain' : variant.template;
  const fitting = Math.max(
    1,
    Math.floor(Math.min(facts.maxBindingBytes, PARTIAL_BYTES) / partialBytes(shape, 1)),
  );
  const useful = Math.max(1, Math.ceil(layout.capacity / LEAST_KEYS));
  const maxSplits = Math.min(MAX_SPLITS, fitting, useful);
  // Items are workgroups of one dispatch: those with a state, and one for each sequence that is not split.
  const maxPartials = Math.min(fitting, shape.batch * maxSplits, facts.maxGrid - shape.batch);
  const profile = profileOf(facts);
  const slots = options.tuned?.slots ?? profile.slots;
  return { shape, layout, kernel, variant, maxSplits, maxPartials, slots, wholeLen: profile.wholeLen };
}

/** Throws ShapeError for a variant, or something tuned, that is none. */
export function checkChoice(where: string, { variant, tuned }: ContextOptions): void {
  if (variant !== undefined) checkVariantForm(`${where}: variant`, variant);
  if (tuned === undefined) return;
  checkEntry(`${where}: tuned`, tuned);
  checkVariantForm(`${where}: tuned: variant`, tuned.variant);
}

/** Throws ShapeError for a kernel that there is none of. */
export function checkKernel(where: string, kernel: KernelChoice = 'auto'): void {
  checkOneOf(`${where}: kernel`, kernel, ['auto', ...DECODE_KERNELS]);
}

/** Fewest keys that a split may be asked to have. */
const LEAST_KEYS = 32;

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

/** Bytes of `states` partial states of a sequence's rows: o, m and l in f32. */
function partialBytes(shape: GqaShape, states: number): number {
  return states * shape.numQHeads * shape.qLen * (shape.headDim * 4 + 8);
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
 * @param context of the decoder: `Decoder.context`, or `planContext`
 * @param kvLens keys that each sequence attends to, the new ones included: [B], each 0 to the capacity
 * @param options scale and splits; default 1 / sqrt(D), and as many splits as keep the device busy
 */
export function planDecode(
  context: PlanContext,
  kvLens: readonly number[],
  options: PlanOptions = {},
): DecodePlan {
  checkContext(context);
  const { shape, layout, kernel } = context;
  checkOptions('plan', options, PLAN_OPTIONS);
  checkKvLens('plan', kvLens, shape.batch, layout.capacity);
  const { smScale = 1 / Math.sqrt(shape.headDim) } = options;
  if (typeof smScale !== 'number' || !Number.isFinite(Math.fround(smScale)))
    throw new ShapeError(`plan: smScale: expected a finite number, got ${describe(smScale)}`);
  const longest = longestOf(kvLens);
  const splitLen = kernel === 'plain' ? Math.max(1, longest) : chooseSplitLen(context, kvLens, options);
  const { words, items, partials } = stepWords(layout, smScale, kvLens, splitLen);
  const rowBytes = shape.rows * shape.headDim * 4;
  const plan: DecodePlan = {
    shape,
    kernel,
    kvLens: [...kvLens],
    numSplits: Math.max(1, Math.ceil(longest / splitLen)),
    splitLen,
    items,
    smScale,
    grid: [items, workgroupsPerItem(shape, context.variant), 1],
    merges: partials > 0,
    dispatches: dispatchNames(kernel, partials > 0),
    bytes: {
      kv: bytesOfTokens(layout, kvLens),
      q: rowBytes,
      out: rowBytes + shape.rows * 4,
      partial: 2 * partialBytes(shape, partials),
    },
    stepWords: words,
  };
  contexts.set(plan, context);
  return plan;
}

function checkContext(context: PlanContext): void {
  checkNumbers('plan: context', context, ['maxSplits', 'maxPartials', 'slots', 'wholeLen'], 'planContext');
  checkGqaShape('plan: context.shape', context.shape);
  checkCacheLayout('plan: context.layout', context.layout);
  checkVariantForm('plan: context.variant', context.variant);
}

function dispatchNames(kernel: DecodeKernel, merges: boolean): string[] {
  if (kernel === 'plain') return ['plain_scores', 'plain_softmax', 'plain_mix'];
  return merges ? [`decode_${kernel}`, 'decode_merge'] : [`decode_${kernel}`];
}

const HEADER_WORDS = 8;

/** Most words of the `step` binding for so many sequences and items. */
export function mostStepWords(batch: number, items: number): number {
  return HEADER_WORDS + 4 * (batch + items);
}

/** The words of lib/step.wgsl's struct Step: the header, the sequences, the items. */
function stepWords(layout: CacheLayout, smScale: number, kvLens: readonly number[], splitLen: number) {
  const batch = kvLens.length;
  const splits = kvLens.map((kvLen) => Math.max(1, Math.ceil(kvLen / splitLen)));
  const items = splits.reduce((sum, n) => sum + n, 0);
  const words = new Uint32Array(mostStepWords(batch, items));
  words.set([layout.capacity, batch, layout.kScales, layout.vScales]);
  new Float32Array(words.buffer)[4] = smScale;
  let partials = 0;
  let at = HEADER_WORDS + 4 * batch;
  for (let b = 0; b < batch; b++) {
    const count = splits[b]!;
    words.set([kvLens[b]!, partials, count], HEADER_WORDS + 4 * b);
    for (let s = 0; s < count; s++, at += 4) {
      words[at] = b;
      words[at + 1] = s * splitLen;
      words[at + 2] = Math.min(kvLens[b]!, (s + 1) * splitLen);
      words[at + 3] = count > 1 ? ++partials : 0;
    }
  }
  return { words, items, partials };
}

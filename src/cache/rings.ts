// rings.ts: layers that keep the tokens of a sliding window, in a ring, and the sink tokens before it; pure.
import { ShapeError } from '../device/errors.ts';
import { checkOptions, checkWhole, type Known } from '../device/options.ts';
import type { FeatureOptions } from '../kernels/features.ts';
import type { RingSlots } from '../kernels/lib.ts';

/** A layer whose memory is bounded by a sliding window, however long its sequences become. */
export interface RingOptions {
  /** Keys that a query sees at most, its own included, as `FeatureOptions.window` counts them. At least 1. */
  readonly window: number;
  /** Keys from the beginning of a sequence that stay, as `FeatureOptions.sinkTokens`. Default 0. */
  readonly sinkTokens?: number;
  /**
   * Tokens that an append brings at most, and query positions of a step: the window of the first of them must still be there when
   * the last has been stored. Also how far `truncate` can always go back. Default 8.
   */
  readonly chunk?: number;
}

const RING_OPTIONS = { window: true, sinkTokens: true, chunk: true } satisfies Known<RingOptions>;

/** A ring, with what follows from its options. */
export interface RingLayout extends Required<RingOptions>, RingSlots {}

const DEFAULT_CHUNK = 8;

const MAX_RING = 2 ** 24;

/** Throws ShapeError naming the field for what is no ring, or one in a cache of pages. */
export function ringLayout(
  where: string,
  options: RingOptions,
  { capacity, pageSize }: { readonly capacity: number; readonly pageSize?: number | undefined },
): RingLayout {
  checkOptions(where, options, RING_OPTIONS);
  const { window, sinkTokens = 0, chunk = DEFAULT_CHUNK } = options;
  checkWhole(`${where}: window`, window, 1, MAX_RING);
  checkWhole(`${where}: sinkTokens`, sinkTokens, 0, MAX_RING);
  checkWhole(`${where}: chunk`, chunk, 1, MAX_RING);
  if (pageSize !== undefined) {
    throw new ShapeError(`${where}: expected a cache without pages, got one of pages of ${pageSize} tokens`);
  }
  // No more than all tokens take: they lie as in a layer without a ring then.
  const slots = Math.min(even(sinkTokens) + even(window + chunk - 1), even(capacity));
  return { window, sinkTokens, chunk, slots, sinkSlots: Math.min(even(sinkTokens), slots - 2) };
}

function even(count: number): number {
  return Math.ceil(count / 2) * 2;
}

/** The first token that a ring has not overwritten, once tokens up to `written` were stored; the sink slots' tokens are all there. */
function oldestOf({ slots, sinkSlots }: RingSlots, written: number): number {
  return Math.max(sinkSlots, written - (slots - sinkSlots));
}

/** Whether all tokens from `first` to before `end` are there, but for those that only sink slots would have. */
function holds(ring: RingSlots, first: number, end: number, written: number): boolean {
  return end <= ring.sinkSlots || Math.max(first, ring.sinkSlots) >= oldestOf(ring, written);
}

/**
 * Throws ShapeError when a step over tokens `first` to before `end` would read one that a ring has overwritten. Makes no garbage
 * where it does not.
 */
export function checkWindow(
  layer: number,
  b: number,
  ring: RingSlots,
  first: number,
  end: number,
  written: number,
): void {
  if (holds(ring, first, end, written)) return;
  throw new ShapeError(
    `record: layer ${layer}, sequence ${b}: expected a plan whose windows begin at token ${oldestOf(ring, written)} or behind it, the oldest ` +
      `in a ring that was written to up to token ${written}, got one from token ${Math.max(0, first)} on`,
  );
}

/** Throws ShapeError when a sequence cut to `kvLen` tokens would lack some of the next token's window. */
export function checkCut(where: string, ring: RingLayout, kvLen: number, written: number): void {
  if (holds(ring, kvLen - (ring.window - 1), kvLen, written)) return;
  const least = oldestOf(ring, written) + ring.window - 1;
  throw new ShapeError(
    `${where}: expected to keep ${least} tokens or more, or at most ${ring.sinkSlots}: its ring was written to up to token ${written}, ` +
      `and holds those from ${oldestOf(ring, written)} on; got ${kvLen}`,
  );
}

/** Throws ShapeError unless a decoder's windows lie within a layer's ring; one without a ring takes all. */
export function checkRingDecoder(
  where: string,
  ring: RingLayout | undefined,
  { qLen, features }: { readonly qLen: number; readonly features: FeatureOptions },
): void {
  if (!ring) return;
  const { window, sinkTokens = 0 } = features;
  const refuse = (name: string, most: number, got: number | string) => {
    throw new ShapeError(`${where}: ${name}: expected at most ${most}, as the layer's ring has, got ${got}`);
  };
  if (window === undefined || window > ring.window) refuse('features: window', ring.window, window ?? 'none');
  if (sinkTokens > ring.sinkTokens) refuse('features: sinkTokens', ring.sinkTokens, sinkTokens);
  if (qLen > ring.chunk) refuse('qLen', ring.chunk, qLen);
}

/** For messages, and to tell layers apart. */
export function ringText(ring: RingLayout | undefined): string {
  if (!ring) return 'no ring';
  const { window, sinkTokens, chunk } = ring;
  return `a ring (window ${window}, sinkTokens ${sinkTokens}, chunk ${chunk})`;
}

// perplexity.ts: how well a model tells the tokens of a text.
import { GqaError, ShapeError } from '../../device/errors.ts';
import { checkFunction, checkOptions, checkWhole, describe, type Known } from '../../device/options.ts';
import { checkToken } from './contextArgs.ts';
import type { ContextCore } from './contextCore.ts';

/** How a text longer than a window is cut. */
export interface PerplexityOptions {
  /** Tokens that the model sees at once, 2 to the context's capacity. Default: the capacity. */
  readonly window?: number;
  /** Tokens from a window to the next, 1 to the window: those that were in the window before are seen and not counted again. Default: the window. */
  readonly stride?: number;
  /** Told of the share of the text that is done, to 1. Default: nobody is told. */
  readonly onProgress?: (share: number) => void;
}

const PERPLEXITY_OPTIONS = {
  window: true,
  stride: true,
  onProgress: true,
} satisfies Known<PerplexityOptions>;

/** What a text came to. */
export interface Perplexity {
  /** Tokens that were counted: all but the first of the text and, where windows do not overlap, of each window. */
  readonly tokens: number;
  readonly window: number;
  readonly stride: number;
  /** Mean negative log-likelihood of a token, natural logarithm. */
  readonly nll: number;
  /** Its exponential. */
  readonly perplexity: number;
}

/** A window, and the first of its tokens that counts. */
interface Window {
  readonly begin: number;
  readonly end: number;
  readonly counted: number;
}

/** `ModelContext.perplexity`. Throws ShapeError for fewer than two tokens and for bad numbers. */
export async function measureText(
  context: ContextCore,
  tokens: readonly number[],
  options: PerplexityOptions = {},
): Promise<Perplexity> {
  const { encoder, type } = context.model.spec;
  if (encoder) {
    throw new GqaError(
      'usage',
      `perplexity: expected a decoder-only model, got one of type ${type}, whose decoder needs sources: see pairPerplexity`,
    );
  }
  checkOptions('perplexity', options, PERPLEXITY_OPTIONS);
  const { window = context.capacity, onProgress } = options;
  const { stride = window } = options;
  checkWhole('perplexity: window', window, 2, context.capacity);
  checkWhole('perplexity: stride', stride, 1, window);
  if (!Array.isArray(tokens) || tokens.length < 2) {
    const got = Array.isArray(tokens) ? tokens.length : describe(tokens);
    throw new ShapeError(`perplexity: expected a text of at least 2 tokens, got ${got}`);
  }
  for (const [i, token] of tokens.entries()) checkToken('perplexity', i, token, context.vocabSize);
  if (onProgress !== undefined) checkFunction('perplexity: onProgress', onProgress);
  const windows = windowsOf(tokens.length, window, stride);
  let [sum, count] = [0, 0];
  for (let first = 0; first < windows.length; first += context.batch) {
    const together = windows.slice(first, first + context.batch);
    context.cache.truncate(0);
    const texts = Array.from({ length: context.batch }, (_, b) => {
      const each = together[b];
      return each ? tokens.slice(each.begin, each.end) : [];
    });
    const losses = await context.losses(texts);
    for (const [b, { begin, counted }] of together.entries()) {
      // The loss of token t of a window is the one before it.
      for (let t = counted - begin; t < texts[b]!.length; t++) {
        sum += losses[b]![t - 1]!;
        count++;
      }
    }
    onProgress?.(Math.min(1, (first + together.length) / windows.length));
  }
  context.cache.truncate(0);
  const nll = sum / count;
  return { tokens: count, window, stride, nll, perplexity: Math.exp(nll) };
}

/** Windows over a text of so many tokens. Each counts what none before it did, but for its first token. */
function windowsOf(length: number, window: number, stride: number): Window[] {
  const windows: Window[] = [];
  let done = 0;
  for (let begin = 0; done < length; begin += stride) {
    const end = Math.min(begin + window, length);
    const counted = Math.max(done, begin + 1);
    if (counted < end) windows.push({ begin, end, counted });
    done = end;
  }
  return windows;
}

// generation.ts: a text by a variant of a model, and the times that it took: the prompt's apart from the tokens'.
import type { GenerateOptions } from '../../src/models/decoder/generate.ts';
import type { RunningVariant } from './variants.ts';

/** The tokens that a variant gave, and what was measured. */
export interface Generation {
  readonly tokens: readonly number[];
  /** Mean negative log-likelihood of the prompt's tokens but the first, natural logarithm; none for a prompt of one token, and with an encoder. */
  readonly promptNll?: number;
  /** Milliseconds from the prompt to the first token, and from there to the last. */
  readonly promptMs: number;
  readonly decodeMs: number;
  /** Whether a token that ends a text came. */
  readonly isEnded: boolean;
}

/** Who is told of each token, and who may end it early: the tokens so far count then. */
export interface GenerationHost {
  readonly onToken: (token: number, index: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Runs a prompt through a variant whose context is empty, after a warm-up, and goes on with it; with an encoder the prompt is the
 * source, and the text begins with the model's start token.
 */
export async function measureGeneration(
  { context, spec }: Pick<RunningVariant, 'context' | 'spec'>,
  prompt: readonly number[],
  options: GenerateOptions,
  { onToken, signal }: GenerationHost,
): Promise<Generation> {
  const { encoder } = spec;
  const begin = encoder ? [encoder.startToken] : prompt;
  const nll = !encoder && prompt.length > 1 ? meanOf((await context.losses([prompt]))[0]!) : undefined;
  context.truncate(0, 0);
  if (encoder) await context.encode([prompt]);
  // A driver compiles at a kernel's first dispatch, and not when it is asked to.
  const short = { ...options, maxTokens: Math.min(2, options.maxTokens), stop: [] };
  for await (const _ of context.generate([begin.slice(0, 1)], short)) continue;
  context.truncate(0, 0);
  const tokens: number[] = [];
  const began = performance.now();
  let first = began;
  if (encoder) await context.encode([prompt]);
  for await (const [token] of context.generate([begin], options)) {
    if (tokens.length === 0) first = performance.now();
    tokens.push(token!);
    onToken(token!, tokens.length - 1);
    if (signal?.aborted) break;
  }
  const ended = performance.now();
  return {
    tokens,
    ...(nll !== undefined && { promptNll: nll }),
    promptMs: first - began,
    decodeMs: ended - first,
    isEnded: (options.stop ?? spec.eos).includes(tokens.at(-1)!),
  };
}

function meanOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}

/** Tokens behind the first, per second; undefined for a single token. */
export function tokensPerSecond({
  tokens,
  decodeMs,
}: Pick<Generation, 'tokens' | 'decodeMs'>): number | undefined {
  return tokens.length > 1 ? (1000 * (tokens.length - 1)) / decodeMs : undefined;
}

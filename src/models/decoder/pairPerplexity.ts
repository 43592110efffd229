// pairPerplexity.ts: how well an encoder-decoder model tells targets, given their sources.
import { GqaError, ShapeError } from '../../device/errors.ts';
import { checkFunction, checkList, checkOptions, describe, type Known } from '../../device/options.ts';
import { checkText } from './contextArgs.ts';
import type { ContextCore } from './contextCore.ts';
import type { Perplexity } from './perplexity.ts';
import type { Sources } from './sources.ts';

/** What the encoder reads, and the text that the decoder is asked about. */
export interface TextPair {
  /** At least one token. */
  readonly source: readonly number[];
  /** At least one token, without the start token; with the token that ends a text, where that is to count. */
  readonly target: readonly number[];
}

/** Whom to tell. */
export interface PairPerplexityOptions {
  /** Told of the share of the pairs that is done, to 1. Default: nobody is told. */
  readonly onProgress?: (share: number) => void;
}

const PAIR_OPTIONS = { onProgress: true } satisfies Known<PairPerplexityOptions>;

/** What the targets came to; `tokens`: all of theirs. */
export interface PairPerplexity extends Pick<Perplexity, 'tokens' | 'nll' | 'perplexity'> {
  readonly pairs: number;
}

/** `ModelContext.pairPerplexity`. Throws GqaError for a model without an encoder, ShapeError for bad pairs and those without room. */
export async function measurePairs(
  context: ContextCore,
  pairs: readonly TextPair[],
  options: PairPerplexityOptions = {},
): Promise<PairPerplexity> {
  const { sources, model } = context;
  const { encoder, type } = model.spec;
  if (!encoder || !sources) {
    throw new GqaError(
      'usage',
      `pairPerplexity: expected a model with an encoder, got one of type ${type}, whose texts have no sources`,
    );
  }
  checkOptions('pairPerplexity', options, PAIR_OPTIONS);
  const { onProgress } = options;
  if (onProgress !== undefined) checkFunction('pairPerplexity: onProgress', onProgress);
  const targets = checkPairs(context, sources, pairs, encoder.startToken);
  let [sum, count] = [0, 0];
  for (let first = 0; first < pairs.length; first += context.batch) {
    const together = Array.from({ length: context.batch }, (_, b) => first + b);
    // A sequence without a pair reads the least that a source may be, and tells nothing.
    await sources.encode(together.map((i) => pairs[i]?.source ?? [encoder.startToken]));
    for (const losses of await context.losses(together.map((i) => targets[i] ?? []))) {
      for (const loss of losses) sum += loss;
      count += losses.length;
    }
    onProgress?.(Math.min(1, (first + context.batch) / pairs.length));
  }
  context.cache.truncate(0);
  const nll = sum / count;
  return { pairs: pairs.length, tokens: count, nll, perplexity: Math.exp(nll) };
}

/** Targets behind the start token. Throws ShapeError for the first pair that cannot be. */
function checkPairs(
  { capacity, vocabSize }: ContextCore,
  sources: Sources,
  pairs: readonly TextPair[],
  startToken: number,
): number[][] {
  checkList('pairPerplexity', pairs);
  if (pairs.length === 0) throw new ShapeError('pairPerplexity: expected at least one pair, got none');
  return pairs.map((pair, i) => {
    const where = `pairPerplexity: pair ${i}`;
    if (typeof pair !== 'object' || pair === null) {
      throw new ShapeError(`${where}: expected { source, target }, got ${describe(pair)}`);
    }
    const { source, target } = pair;
    checkText(`${where}: source`, source, 0, { capacity: sources.capacity, vocabSize });
    // The start token takes a place too.
    checkText(`${where}: target`, target, 1, { capacity, vocabSize });
    const empty = source.length === 0 ? 'source' : 'target';
    if (source.length === 0 || target.length === 0) {
      throw new ShapeError(`${where}: ${empty}: expected at least one token, got none`);
    }
    return [startToken, ...target];
  });
}

// perplexityTask.ts: what `gqa perplexity` measures: a text in windows, or the targets of a model with an encoder.
import { pastTraining } from '../../bench/model/variants.ts';
import { GqaError } from '../../src/device/errors.ts';
import type { ModelContext } from '../../src/models/decoder/context.ts';
import { checkToken, type ContextOptions } from '../../src/models/decoder/contextArgs.ts';
import type { PairPerplexity } from '../../src/models/decoder/pairPerplexity.ts';
import type { Perplexity } from '../../src/models/decoder/perplexity.ts';
import type { ModelSpec } from '../../src/models/decoder/spec.ts';
import { readPairs, type PairFlags } from './pairs.ts';
import { readText, readTokenFile } from './tokenFile.ts';
import { openTokenizer } from './tokenizer.ts';

/** The options that say so. */
export interface TaskFlags extends PairFlags {
  readonly context: number;
  readonly stride?: number;
  readonly batch: number;
}

/** What either comes to. */
export type Measured = Perplexity | PairPerplexity;

/** What is measured, and the room that it takes. */
export interface Task {
  readonly sizes: Pick<ContextOptions, 'batch' | 'capacity' | 'sourceCapacity'>;
  readonly note?: string | undefined;
  readonly measure: (context: ModelContext, onProgress: (share: number) => void) => Promise<Measured>;
}

/** Reads what is to be measured. Throws GqaError for options and texts that are not of the model. */
export function perplexityTask(spec: ModelSpec, folder: string, flags: TaskFlags): Promise<Task> {
  return spec.encoder ? pairsTask(spec, folder, flags) : textTask(spec, folder, flags);
}

/** A text, in windows. */
async function textTask(spec: ModelSpec, folder: string, flags: TaskFlags): Promise<Task> {
  for (const name of ['source', 'sourceTokens'] as const) {
    if (flags[name] === undefined) continue;
    const option = name === 'source' ? '--source' : '--source-tokens';
    throw new GqaError('usage', `${option}: expected a model with an encoder, got one of type ${spec.type}`);
  }
  const { batch, context, stride = context } = flags;
  if (stride > context) {
    throw new GqaError(
      'usage',
      `--stride: expected at most the ${context} tokens of a context, for those between would not be counted, got ${stride}`,
    );
  }
  const tokens = await tokensOf(folder, flags);
  if (tokens.length < 2) {
    throw new GqaError(
      'input',
      `${flags.text ?? flags.tokens}: expected a text of at least 2 tokens, for the first is not counted, got ${tokens.length}`,
    );
  }
  for (const [i, token] of tokens.entries())
    checkToken((flags.text ?? flags.tokens)!, i, token, spec.vocabSize);
  const window = Math.min(context, tokens.length);
  const options = { window, stride: Math.min(stride, window) };
  return {
    sizes: { batch, capacity: window },
    note: pastTraining(spec, window),
    measure: (running, onProgress) => running.perplexity(tokens, { ...options, onProgress }),
  };
}

/** Targets, each given its source. */
async function pairsTask({ vocabSize }: ModelSpec, folder: string, flags: TaskFlags): Promise<Task> {
  const pairs = await readPairs(folder, vocabSize, flags);
  const longest = (texts: readonly (readonly number[])[]) =>
    texts.reduce((most, { length }) => Math.max(most, length), 0);
  return {
    sizes: {
      batch: Math.min(flags.batch, pairs.length),
      // The start token takes a place too.
      capacity: 1 + longest(pairs.map(({ target }) => target)),
      sourceCapacity: longest(pairs.map(({ source }) => source)),
    },
    measure: (context, onProgress) => context.pairPerplexity(pairs, { onProgress }),
  };
}

async function tokensOf(folder: string, { text, tokens }: PairFlags): Promise<number[]> {
  if (text !== undefined) {
    const tokenizer = await openTokenizer(folder);
    return tokenizer.encode(await readText(text));
  }
  if (tokens === undefined) throw new GqaError('usage', 'expected --text or --tokens, got neither');
  return readTokenFile(tokens);
}

// contextArgs.ts: what a context is made for and given, checked.
import { ShapeError } from '../../device/errors.ts';
import { checkOneOf, checkOptions, checkWhole, describe, type Known } from '../../device/options.ts';
import { MAX_BATCH } from '../../kernels/shape.ts';
import { KV_TYPES, type KvType } from '../../numbers/elements.ts';
import type { CacheSizes } from './cacheSizes.ts';
import type { ModelSpec } from './spec.ts';

/** What a context has room for. */
export interface ContextOptions {
  /** Sequences. Default 1. */
  readonly batch?: number;
  /**
   * Tokens that each may come to. A model with LongRoPE (Phi-3, 128k) turns by its long factors where this is more than its original context, and by
   * its short ones otherwise: whether texts are short or long is settled before the first token, as in llama.cpp and vLLM.
   */
  readonly capacity: number;
  /** Tokens that each source of an encoder-decoder model may have, 1 to 16384; refused for others. Default: the capacity. */
  readonly sourceCapacity?: number;
  /** Element type of K. Default f16. */
  readonly kType?: KvType;
  /** Element type of V. Default that of K. */
  readonly vType?: KvType;
  /** Tokens of a pass at most, over all sequences: the chunk of a prompt. Default 128, and at least the batch. */
  readonly chunk?: number;
}

export const CONTEXT_OPTIONS = {
  batch: true,
  capacity: true,
  sourceCapacity: true,
  kType: true,
  vType: true,
  chunk: true,
} satisfies Known<ContextOptions>;

/** Most tokens of a pass. */
const MAX_CHUNK = 4096;

/** Most tokens of a source: all of them go through the encoder at once. */
const MAX_SOURCE = 16384;

/** A context's options, nothing left out. */
export interface CheckedContext extends CacheSizes {
  /** 0 without an encoder. */
  readonly sourceCapacity: number;
  readonly chunk: number | undefined;
}

/** Fills in what was left out. Throws ShapeError naming the option, what it must be and what was given. */
export function checkContext(
  options: ContextOptions,
  { embedding, encoder, type }: ModelSpec,
): CheckedContext {
  checkOptions('context', options, CONTEXT_OPTIONS);
  const { batch = 1, capacity, kType = 'f16', vType = kType, chunk } = options;
  const { sourceCapacity = encoder ? capacity : 0 } = options;
  checkWhole('context: batch', batch, 1, MAX_BATCH);
  checkWhole('context: capacity', capacity, 1, 2 ** 24);
  checkOneOf('context: kType', kType, KV_TYPES);
  checkOneOf('context: vType', vType, KV_TYPES);
  if (chunk !== undefined) checkWhole('context: chunk', chunk, 1, MAX_CHUNK);
  if (encoder) checkWhole('context: sourceCapacity', sourceCapacity, 1, MAX_SOURCE);
  else if (options.sourceCapacity !== undefined) {
    throw new ShapeError(
      `context: sourceCapacity: expected none, for a model of type ${type} has no encoder`,
    );
  }
  const learned = embedding.positions?.count;
  if (learned !== undefined && capacity > learned) {
    throw new ShapeError(
      `context: capacity: expected at most the ${learned} positions that the model has learned, got ${capacity}`,
    );
  }
  return { batch, capacity, sourceCapacity, kType, vType, chunk };
}

/** What a text must keep to. */
interface TextSizes {
  readonly capacity: number;
  readonly vocabSize: number;
}

/** Throws ShapeError unless these are a list of tokens for each sequence, for which there is room behind `lengths`. */
export function checkTexts(
  where: string,
  tokens: readonly (readonly number[])[],
  lengths: readonly number[],
  sizes: TextSizes,
): void {
  if (!Array.isArray(tokens) || tokens.length !== lengths.length) {
    const got = Array.isArray(tokens) ? tokens.length : describe(tokens);
    throw new ShapeError(`${where}: expected ${lengths.length} lists of tokens, got ${got}`);
  }
  for (const [b, list] of tokens.entries()) {
    checkText(`${where}: sequence ${b}`, list, lengths[b]!, sizes);
  }
}

/** Throws ShapeError unless this is a list of tokens for which there is room behind `length`. */
export function checkText(
  where: string,
  tokens: readonly number[],
  length: number,
  { capacity, vocabSize }: TextSizes,
): void {
  if (!Array.isArray(tokens)) {
    throw new ShapeError(`${where}: expected a list of tokens, got ${describe(tokens)}`);
  }
  for (const [i, token] of tokens.entries()) checkToken(where, i, token, vocabSize);
  const room = capacity - length;
  if (tokens.length <= room) return;
  throw new ShapeError(
    `${where}: expected at most ${room} tokens, which the capacity of ${capacity} leaves, got ${tokens.length}`,
  );
}

/** Throws ShapeError unless these are a source for each sequence, none of them empty or too long. */
export function checkSources(sources: readonly (readonly number[])[], batch: number, sizes: TextSizes): void {
  checkTexts(
    'encode',
    sources,
    Array.from({ length: batch }, () => 0),
    sizes,
  );
  const empty = sources.findIndex((source) => source.length === 0);
  if (empty >= 0)
    throw new ShapeError(`encode: sequence ${empty}: expected a source of at least one token, got none`);
}

/** Throws ShapeError unless a token is one of the vocabulary. */
export function checkToken(where: string, place: number, token: number, vocabSize: number): void {
  if (Number.isSafeInteger(token) && token >= 0 && token < vocabSize) return;
  throw new ShapeError(
    `${where}: token ${place}: expected a whole number below the vocabulary's ${vocabSize}, got ${describe(token)}`,
  );
}

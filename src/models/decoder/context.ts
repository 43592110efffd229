// context.ts: texts in the making: a model's caches and buffers for a number of sequences, and all that is asked of them.
import type { KvCache } from '../../cache/kvCache.ts';
import { GqaError } from '../../device/errors.ts';
import { checkFunction, checkWhole } from '../../device/options.ts';
import type { StepKind } from './attentionSteps.ts';
import { bindContext, type ContextModel } from './bindContext.ts';
import { checkContext, checkSources, checkTexts, type ContextOptions } from './contextArgs.ts';
import { ContextCore } from './contextCore.ts';
import { generate, type GenerateOptions } from './generate.ts';
import type { Sources } from './sources.ts';
import type { SourceSeen, TraceSeen } from './trace.ts';
import {
  measurePairs,
  type PairPerplexity,
  type PairPerplexityOptions,
  type TextPair,
} from './pairPerplexity.ts';
import { measureText, type Perplexity, type PerplexityOptions } from './perplexity.ts';

/** The logits behind a token: where it is, and a number for each token of the vocabulary. */
export interface LogitRow {
  readonly sequence: number;
  readonly position: number;
  readonly logits: Float32Array;
}

/**
 * A model's texts: B sequences side by side, each of which holds the tokens that it was given. Those of a model with an encoder are
 * targets: they need sources (`encode`) and begin with `spec.encoder.startToken`. Every call but `generate` throws
 * ShapeError for tokens outside of the vocabulary, for more than there is room for, and for a list that is not one of B.
 * One call after the other: what is called while another runs throws a GqaError.
 */
export class ModelContext {
  readonly batch: number;
  /** Tokens that each sequence may come to. */
  readonly capacity: number;
  /** Tokens that each source may have; 0 for a model without an encoder. */
  readonly sourceCapacity: number;
  readonly #core: ContextCore;
  #running: string | undefined;

  /** @internal Use Model.createContext. */
  constructor(core: ContextCore) {
    this.batch = core.batch;
    this.capacity = core.capacity;
    this.sourceCapacity = core.sources?.capacity ?? 0;
    this.#core = core;
  }

  /** The cache of all layers, for its report, snapshots and bytes. */
  get cache(): KvCache {
    return this.#core.cache;
  }

  /** Tokens that each sequence holds, [B]. */
  get lengths(): number[] {
    return this.#core.lengths;
  }

  /** Tokens of each sequence's source, [B]: zeros before `encode` and without an encoder. */
  get sourceLengths(): number[] {
    return this.#core.sources?.lengths ?? this.lengths.map(() => 0);
  }

  /**
   * Reads a source for each sequence, [B] lists of 1 to `sourceCapacity` tokens, in place of those before, and forgets what the sequences
   * hold. Of encoder-decoder models only, which need it before all else: throws GqaError for others.
   */
  async encode(sources: readonly (readonly number[])[]): Promise<void> {
    const own = this.#checkedSources(sources);
    await this.#alone('encode', () => own.encode(sources));
  }

  /** Takes tokens of each sequence, [B] lists, which may be empty. */
  async feed(tokens: readonly (readonly number[])[]): Promise<void> {
    this.#check('feed', tokens);
    await this.#alone('feed', () => this.#core.feed(tokens));
  }

  /** Takes tokens, and tells of the logits behind each, row by row. */
  async logits(tokens: readonly (readonly number[])[], each: (row: LogitRow) => void): Promise<void> {
    this.#check('logits', tokens);
    checkFunction('logits: each', each);
    await this.#alone('logits', () => this.#core.logits(tokens, each));
  }

  /**
   * Takes tokens, and gives the negative log-likelihood, natural logarithm, of each but the first of a list, by those before it: [B]
   * lists. Throws NotFiniteError where a logit is no number.
   */
  async losses(tokens: readonly (readonly number[])[]): Promise<Float32Array[]> {
    this.#check('losses', tokens);
    return this.#alone('losses', () => this.#core.losses(tokens));
  }

  /**
   * Takes a prompt for each sequence, [B] lists of at least one token behind what the sequences hold, and gives the tokens that
   * follow, a list of [B] for each step: undefined for a sequence that has ended. Ends when all have, or after `maxTokens`. Then, and
   * when the iterator is left early, each sequence holds all of its tokens but the last one given out: to go on, begin the next
   * prompt with that one. Throws ShapeError for tokens outside of the vocabulary and prompts that leave no room for `maxTokens`;
   * NotFiniteError for logits that are no numbers.
   */
  async *generate(
    prompts: readonly (readonly number[])[],
    options: GenerateOptions,
  ): AsyncGenerator<(number | undefined)[], void, undefined> {
    const release = this.#take('generate');
    try {
      yield* generate(this.#core, prompts, options);
    } finally {
      release();
    }
  }

  /**
   * How well the model tells a text. Throws GqaError for a model with an encoder, which tells no text without a source: see `pairPerplexity`.
   * Forgets what the sequences hold; as many windows as there are go through at once.
   */
  perplexity(tokens: readonly number[], options: PerplexityOptions = {}): Promise<Perplexity> {
    return this.#alone('perplexity', () => measureText(this.#core, tokens, options));
  }

  /**
   * How well a model with an encoder tells targets, each given its source: the decoder has the target itself in front of every token, from the
   * start token on (teacher forcing). Every token of the targets counts. Takes the place of what the sequences hold and of their sources; as many
   * pairs as there are sequences go through at once. Throws GqaError for a model without an encoder.
   */
  pairPerplexity(pairs: readonly TextPair[], options: PairPerplexityOptions = {}): Promise<PairPerplexity> {
    return this.#alone('pairPerplexity', () => measurePairs(this.#core, pairs, options));
  }

  /** @internal Takes tokens of the only sequence, and tells of the hidden states behind each layer, for checks. */
  async trace(tokens: readonly number[], kind: StepKind, seen: TraceSeen): Promise<void> {
    this.#check('trace', [tokens]);
    await this.#alone('trace', () => this.#core.trace(tokens, kind, seen));
  }

  /** @internal Reads the only sequence's source as `encode` does, and tells of the encoder's hidden states, for checks. */
  async traceSource(source: readonly number[], seen: SourceSeen): Promise<void> {
    const own = this.#checkedSources([source]);
    const { hiddenSize } = this.#core.model.spec;
    await this.#alone('traceSource', () => own.trace(source, hiddenSize, seen));
  }

  /** @internal The cache of all layers' attention to the sources, for checks; undefined without an encoder. */
  get sourceCache(): KvCache | undefined {
    return this.#core.sources?.cache;
  }

  /** Makes sequence `to` a copy of `from`, source included, whatever it held. */
  fork(from: number, to: number): Promise<void> {
    return this.#alone('fork', () => this.#core.fork(from, to));
  }

  /** Forgets tokens from the end of a sequence: it holds the first `length` ones then. */
  truncate(sequence: number, length: number): void {
    this.#take('truncate')();
    checkWhole('truncate: sequence', sequence, 0, this.batch - 1);
    this.#core.cache.truncate(length, { sequence });
  }

  /** Frees caches and buffers. Idempotent. */
  destroy(): void {
    this.#core.destroy();
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  #checkedSources(sources: readonly (readonly number[])[]): Sources {
    this.#core.assertUsable();
    const { sources: own, model, vocabSize } = this.#core;
    if (!own) {
      throw new GqaError(
        'usage',
        `encode: expected a model with an encoder, got one of type ${model.spec.type}`,
      );
    }
    checkSources(sources, this.batch, { capacity: own.capacity, vocabSize });
    return own;
  }

  #check(where: string, tokens: readonly (readonly number[])[]): void {
    this.#core.assertUsable();
    this.#core.sources?.assertRead(where);
    checkTexts(where, tokens, this.lengths, this.#core);
  }

  async #alone<T>(name: string, act: () => Promise<T>): Promise<T> {
    const release = this.#take(name);
    try {
      return await act();
    } finally {
      release();
    }
  }

  /** Throws when another call runs; else it is this one's turn until what is returned is called. */
  #take(name: string): () => void {
    this.#core.assertUsable();
    if (this.#running !== undefined) {
      throw new GqaError(
        'usage',
        `${name}: expected a context that is idle, got one in a call of ${this.#running}`,
      );
    }
    this.#running = name;
    return () => (this.#running = undefined);
  }
}

/** Allocates and binds a context. Throws ShapeError for bad options, LimitExceededError and GpuError for want of room. */
export async function createContext(model: ContextModel, options: ContextOptions): Promise<ModelContext> {
  const checked = checkContext(options, model.spec);
  const bound = await bindContext(model, checked);
  return new ModelContext(new ContextCore(model, checked.batch, checked.capacity, bound));
}

// context.ts: texts in the making: caches, activations and passes of a model for a number of sequences.
import { copyOut, writeData, type BufferRange } from '../../device/buffers.ts';
import { allocated } from '../../device/buffers.ts';
import { DestroyedError, NotFiniteError, ShapeError } from '../../device/errors.ts';
import { checkOptions, checkWhole, describe, type Known } from '../../device/options.ts';
import { bindKernel, dispatch, type BoundKernel } from '../../device/record.ts';
import { StepRing } from '../../device/ring.ts';
import { submitted } from '../../device/scopes.ts';
import { modelStepWords, setModelStep, type Sampling } from '../../kernels/model/modelStep.ts';
import { gatherGrid, gatherRows } from '../../kernels/model/rows.ts';
import { sample, tokenLoss } from '../../kernels/model/tokens.ts';
import { productVariants } from '../../kernels/model/variants.ts';
import type { KvType } from '../../numbers/elements.ts';
import type { KvCache } from '../../cache/kvCache.ts';
import { createActivations, type Activations } from './activations.ts';
import { AttentionStack } from './attentionStack.ts';
import { cutIntoPasses, type PassRows } from './chunks.ts';
import type { BoundProduct } from './matrix.ts';
import type { GqaDevice } from '../../device/gqaDevice.ts';
import type { LoadedWeights } from './loadWeights.ts';
import type { ModelSpec } from './spec.ts';
import { bindHead, Passes, type PassParts } from './passes.ts';
import { passSizes } from './passSizes.ts';

/** What a context has room for. */
export interface ContextOptions {
  /** Sequences. Default 1. */
  readonly batch?: number;
  /** Tokens that each may come to. */
  readonly capacity: number;
  /** Element type of K. Default f16. */
  readonly kType?: KvType;
  /** Element type of V. Default that of K. */
  readonly vType?: KvType;
  /** Tokens of a pass at most, over all sequences: the chunk of a prompt. Default 128, and at least the batch. */
  readonly chunk?: number;
}

const CONTEXT_OPTIONS = {
  batch: true,
  capacity: true,
  kType: true,
  vType: true,
  chunk: true,
} satisfies Known<ContextOptions>;

/** Steps whose tokens are read together at most. */
export const MOST_SLOTS = 16;

/** What a context needs of its model. */
interface ContextModel {
  readonly device: GqaDevice;
  readonly spec: ModelSpec;
  readonly weights: LoadedWeights;
  assertUsable(): void;
}

interface Bound {
  readonly activations: Activations;
  readonly attention: AttentionStack;
  readonly step: StepRing;
  /** Passes of a token for each sequence, and of chunks. */
  readonly one: Passes;
  readonly chunk: Passes;
  /** The head behind each. */
  readonly headOfX: BoundProduct;
  readonly headOfLast: BoundProduct;
  readonly gather: BoundKernel;
  readonly greedy: BoundKernel;
  readonly draw: BoundKernel;
  readonly loss: BoundKernel;
  readonly results: BufferRange;
  readonly buffers: readonly GPUBuffer[];
}

/** Caches and buffers for a model's texts. */
export class ModelContext {
  readonly model: ContextModel;
  readonly batch: number;
  readonly capacity: number;
  readonly #bound: Bound;
  readonly #words: Uint32Array<ArrayBuffer>;
  #destroyed = false;

  /** @internal Use Model.createContext. */
  constructor(model: ContextModel, batch: number, capacity: number, bound: Bound) {
    this.model = model;
    this.batch = batch;
    this.capacity = capacity;
    this.#bound = bound;
    const { rows, logitRows } = bound.activations;
    this.#words = new Uint32Array(modelStepWords(Math.max(rows, 2 * logitRows)));
  }

  /** The cache of all layers. */
  get cache(): KvCache {
    return this.#bound.attention.cache;
  }

  /** Tokens that each sequence holds, [B]. */
  get lengths(): number[] {
    return this.cache.kvLens();
  }

  /** Rows of logits that are computed at once. */
  get logitRows(): number {
    return this.#bound.activations.logitRows;
  }

  /** Takes tokens of each sequence, [B] lists, and leaves the hidden state of each one's last behind. */
  async feed(tokens: readonly (readonly number[])[]): Promise<void> {
    for (const rows of this.#passes(tokens)) {
      await this.#submit((pass) => {
        this.#recordChunk(pass, rows);
        this.#recordGather(pass, rows.lastRows, rows.lastOf);
      });
    }
  }

  /** Takes tokens, and tells of each row's logits: sequence, position, and the logits of the token behind it. */
  async logits(
    tokens: readonly (readonly number[])[],
    each: (row: { sequence: number; position: number; logits: Float32Array }) => void,
  ): Promise<void> {
    const { strides, logits } = this.#bound.activations;
    for (const rows of this.#passes(tokens)) {
      await this.#submit((pass) => this.#recordChunk(pass, rows));
      for (const slice of this.#slices(rows)) {
        await this.#submit((pass) => this.#recordLogits(pass, slice));
        const size = slice.length * strides.logits * 4;
        const values = new Float32Array(await copyOut(this.model.device, 'logits', { ...logits, size }));
        for (const [i, row] of slice.entries()) {
          const start = i * strides.logits;
          each({
            sequence: rows.sequences[row]!,
            position: rows.positions[row]!,
            logits: values.slice(start, start + this.model.spec.vocabSize),
          });
        }
      }
    }
  }

  /** Takes tokens, and gives the negative log-likelihood of each but the first of a sequence, by those before it: [B] lists. */
  async losses(tokens: readonly (readonly number[])[]): Promise<Float32Array[]> {
    const { losses, targets } = this.#bound.activations;
    const { device } = this.model;
    const out = tokens.map((list) => new Float32Array(Math.max(0, list.length - 1)));
    const before = this.lengths;
    for (const rows of this.#passes(tokens)) {
      await this.#submit((pass) => this.#recordChunk(pass, rows));
      for (const slice of this.#slices(rows)) {
        const places = slice.map((row) => {
          const sequence = rows.sequences[row]!;
          return { sequence, at: rows.positions[row]! - before[sequence]! };
        });
        const wanted = places.map(({ sequence, at }) => tokens[sequence]![at + 1] ?? 0xffffffff);
        writeData(device, targets, Uint32Array.from(wanted));
        await this.#submit((pass) => {
          this.#recordLogits(pass, slice);
          dispatch(pass, this.#bound.loss, [slice.length, 1, 1]);
        });
        const values = new Float32Array(
          await copyOut(device, 'losses', { ...losses, size: slice.length * 4 }),
        );
        for (const [i, { sequence, at }] of places.entries()) {
          if (at < out[sequence]!.length) out[sequence]![at] = checkedLoss(values[i]!, sequence, at);
        }
      }
    }
    return out;
  }

  /**
   * Chooses the next token of each sequence after `feed`, then `steps` more by the tokens chosen: [steps + 1] lists of [B].
   * The cache holds all but the last of them.
   */
  async chooseAfterFeed(sampling: Sampling): Promise<number[]> {
    const { headOfLast, results } = this.#bound;
    const all = Array.from({ length: this.batch }, (_, b) => b);
    const positions = this.lengths.map((length) => length - 1);
    await this.#submit((pass) => {
      const offset = this.#place(positions, all.length, { slot: 0, sampling });
      headOfLast.record(pass, all.length, offset);
      dispatch(pass, this.#chooser(sampling), [all.length, 1, 1], offset);
    });
    return this.#readTokens(results, 1).then(([first]) => first!);
  }

  /** Takes the tokens chosen last and chooses the next ones, so many times: [steps] lists of [B]. Nothing is read in between. */
  async chooseNext(steps: number, sampling: Sampling): Promise<number[][]> {
    checkWhole('chooseNext: steps', steps, 1, MOST_SLOTS);
    this.assertUsable();
    const { attention, one, headOfX, results } = this.#bound;
    const counts = Array.from({ length: this.batch }, () => 1);
    await this.#submit((pass) => {
      for (let slot = 0; slot < steps; slot++) {
        const positions = this.lengths;
        const offset = this.#place(positions, this.batch, { slot, sampling });
        const plans = attention.plan(
          'one',
          positions.map((position) => position + 1),
          counts,
        );
        one.record(pass, attention, plans, counts, this.batch, offset);
        headOfX.record(pass, this.batch, offset);
        dispatch(pass, this.#chooser(sampling), [this.batch, 1, 1], offset);
      }
    });
    return this.#readTokens(results, steps);
  }

  /** Sets the tokens that the next step takes, [B], for a step whose tokens were chosen elsewhere. */
  setTokens(tokens: readonly number[]): void {
    this.assertUsable();
    this.#checkTokens(tokens.map((token) => [token]));
    writeData(this.model.device, this.#bound.activations.ids, Uint32Array.from(tokens));
  }

  /** Makes sequence `to` a copy of `from`. */
  async fork(from: number, to: number): Promise<void> {
    this.assertUsable();
    await this.cache.fork(from, to);
  }

  /** Forgets tokens from the end of a sequence. */
  truncate(sequence: number, length: number): void {
    this.assertUsable();
    this.cache.truncate(length, { sequence });
  }

  /** Throws when the context, its model or its device cannot be used any more. */
  assertUsable(): void {
    if (this.#destroyed) throw new DestroyedError('the context');
    this.model.assertUsable();
  }

  /** Frees caches and buffers. Idempotent. */
  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#bound.attention.destroy();
    this.#bound.step.destroy();
    for (const buffer of this.#bound.buffers) buffer.destroy();
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  *#passes(tokens: readonly (readonly number[])[]): Generator<PassRows> {
    this.assertUsable();
    if (tokens.length !== this.batch) {
      throw new ShapeError(`context: expected ${this.batch} lists of tokens, got ${tokens.length}`);
    }
    this.#checkTokens(tokens);
    const lengths = this.lengths;
    for (const [b, list] of tokens.entries()) {
      if (lengths[b]! + list.length <= this.capacity) continue;
      throw new ShapeError(
        `context: sequence ${b}: expected at most ${this.capacity - lengths[b]!} tokens, which the capacity of ${this.capacity} leaves, got ${list.length}`,
      );
    }
    yield* cutIntoPasses(tokens, lengths, this.#bound.activations.rows);
  }

  #checkTokens(tokens: readonly (readonly number[])[]): void {
    const { vocabSize } = this.model.spec;
    for (const [b, list] of tokens.entries()) {
      for (const [i, token] of list.entries()) {
        if (Number.isSafeInteger(token) && token >= 0 && token < vocabSize) continue;
        throw new ShapeError(
          `context: sequence ${b}, token ${i}: expected a whole number below the vocabulary's ${vocabSize}, got ${describe(token)}`,
        );
      }
    }
  }

  /** Rows of a pass whose logits are wanted, as many as are computed at once. */
  *#slices({ rows }: PassRows): Generator<number[]> {
    for (let first = 0; first < rows; first += this.logitRows) {
      const count = Math.min(this.logitRows, rows - first);
      yield Array.from({ length: count }, (_, i) => first + i);
    }
  }

  #recordChunk(pass: GPUComputePassEncoder, rows: PassRows): void {
    const { activations, attention, chunk } = this.#bound;
    writeData(this.model.device, activations.promptIds, Uint32Array.from(rows.ids));
    const lengths = this.lengths;
    const kvLens = lengths.map((length, b) => length + rows.counts[b]!);
    const plans = attention.plan('chunk', kvLens, rows.counts);
    const offset = this.#place(rows.positions, rows.rows);
    chunk.record(pass, attention, plans, rows.counts, rows.rows, offset);
  }

  #recordGather(pass: GPUComputePassEncoder, from: readonly number[], to: readonly number[]): void {
    if (from.length === 0) return;
    const { gather, activations } = this.#bound;
    const offset = this.#place([...from, ...to], 2 * from.length, { count: from.length });
    dispatch(pass, gather, gatherGrid(activations.strides.x, from.length), offset);
  }

  #recordLogits(pass: GPUComputePassEncoder, slice: readonly number[]): void {
    this.#recordGather(
      pass,
      slice,
      slice.map((_, i) => i),
    );
    this.#bound.headOfLast.record(pass, slice.length, this.#place(slice, slice.length));
  }

  /** Places the numbers of a pass; `count`: its rows where there are more numbers than those. */
  #place(
    positions: readonly number[],
    rows: number,
    { slot, sampling, count }: { slot?: number; sampling?: Sampling; count?: number } = {},
  ): number {
    const length = setModelStep(this.#words, positions, rows, {
      ...(slot !== undefined && { slot }),
      ...(sampling && { sampling }),
    });
    if (count !== undefined) this.#words[0] = count;
    return this.#bound.step.place(this.#words, undefined, length);
  }

  #chooser({ temperature }: Sampling): BoundKernel {
    return temperature === 0 ? this.#bound.greedy : this.#bound.draw;
  }

  async #readTokens(results: BufferRange, steps: number): Promise<number[][]> {
    const { device, spec } = this.model;
    const size = steps * this.batch * 4;
    const tokens = new Uint32Array(await copyOut(device, 'tokens', { ...results, size }));
    const bad = tokens.findIndex((token) => token >= spec.vocabSize);
    if (bad >= 0) {
      throw new NotFiniteError(`generate: sequence ${bad % this.batch}: a logit is not finite`);
    }
    return Array.from({ length: steps }, (_, slot) => [
      ...tokens.subarray(slot * this.batch, (slot + 1) * this.batch),
    ]);
  }

  async #submit(record: (pass: GPUComputePassEncoder) => void): Promise<void> {
    await submitted(this.model.device, 'model', (encoder) => {
      const pass = encoder.beginComputePass({ label: 'model' });
      record(pass);
      pass.end();
    });
  }
}

function checkedLoss(loss: number, sequence: number, at: number): number {
  if (Number.isFinite(loss)) return loss;
  throw new NotFiniteError(`losses: sequence ${sequence}, token ${at + 1}: a logit is not finite`);
}

/** Allocates and binds a context. Throws ShapeError for bad options, LimitExceededError and GpuError for want of room. */
export async function createContext(model: ContextModel, options: ContextOptions): Promise<ModelContext> {
  checkOptions('context', options, CONTEXT_OPTIONS);
  const { batch = 1, capacity, kType = 'f16', vType = kType, chunk } = options;
  checkWhole('context: batch', batch, 1, 4096);
  checkWhole('context: capacity', capacity, 1, 2 ** 24);
  if (chunk !== undefined) checkWhole('context: chunk', chunk, 1, 32768);
  const { device, spec } = model;
  const positions = spec.embedding.positions?.count;
  if (positions !== undefined && capacity > positions) {
    throw new ShapeError(
      `context: capacity: expected at most the ${positions} positions that the model has learned, got ${capacity}`,
    );
  }
  const sizes = passSizes(spec, { batch, capacity, chunk }, device.facts);
  const buffers: GPUBuffer[] = [];
  const keep = (buffer: GPUBuffer) => buffers.push(buffer);
  const owned: { destroy(): void }[] = [];
  try {
    const made = await allocated(device, 'activations of a model', (create) => {
      const kept = (label: string, bytes: number) => {
        const buffer = create(label, bytes);
        keep(buffer);
        return buffer;
      };
      const results = kept('results', MOST_SLOTS * batch * 4);
      return { activations: createActivations(spec, sizes, kept), results, destroy: () => undefined };
    });
    const { activations } = made;
    const results = { buffer: made.results, offset: 0, size: made.results.size };
    const attention = await AttentionStack.create(device, spec, model.weights.layers, activations, {
      batch,
      capacity,
      kType,
      vType,
    });
    owned.push(attention);
    const step = new StepRing(
      device,
      'model step',
      modelStepWords(Math.max(sizes.rows, 2 * sizes.logitRows)),
    );
    owned.push(step);
    const parts: PassParts = { device, spec, weights: model.weights, activations, step, keep };
    const variants = productVariants(device.facts, batch);
    const logits = { vocab: spec.vocabSize, stride: activations.strides.logits };
    const get = device.pipelines.get.bind(device.pipelines);
    const [one, chunks, headOfX, headOfLast, gather, greedy, draw, loss] = await Promise.all([
      Passes.create(parts, 'one', activations.ids, variants.one),
      Passes.create(parts, 'chunk', activations.promptIds, variants.chunk),
      bindHead(parts, activations.x, variants.one),
      bindHead(parts, activations.last, variants.chunk),
      get(gatherRows(activations.strides.x)),
      get(sample(logits, batch, true)),
      get(sample(logits, batch, false)),
      get(tokenLoss(logits)),
    ]);
    const bind = bindKernel.bind(undefined, device.gpu);
    const { x, last, ids, targets, losses } = activations;
    const choose = { logits: activations.logits, step, ids, results };
    return new ModelContext(model, batch, capacity, {
      activations,
      attention,
      step,
      one,
      chunk: chunks,
      headOfX,
      headOfLast,
      gather: bind(gather, { x, step, y: last }),
      greedy: bind(greedy, choose),
      draw: bind(draw, choose),
      loss: bind(loss, { logits: activations.logits, targets, losses }),
      results,
      buffers,
    });
  } catch (error) {
    for (const each of owned) each.destroy();
    for (const buffer of buffers) buffer.destroy();
    throw error;
  }
}

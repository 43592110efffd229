// contextCore.ts: what a context does: passes of a model over the texts of a number of sequences. Callers take turns.
import type { KvCache } from '../../cache/kvCache.ts';
import { copyOut, writeData } from '../../device/buffers.ts';
import { DestroyedError } from '../../device/errors.ts';
import { checkWhole } from '../../device/options.ts';
import { dispatch, type BoundKernel } from '../../device/record.ts';
import { submitted } from '../../device/scopes.ts';
import { modelStepWords, setModelStep, type Sampling } from '../../kernels/model/modelStep.ts';
import { gatherGrid } from '../../kernels/model/rows.ts';
import type { StepKind } from './attentionSteps.ts';
import { MOST_SLOTS, mostNumbers, type BoundContext, type ContextModel } from './bindContext.ts';
import { WHOLE_STEP, type StepPart } from './stepParts.ts';
import { cutIntoPasses, type PassRows } from './chunks.ts';
import { checkedLoss, readTokens } from './readTokens.ts';
import { Sources } from './sources.ts';
import { readRows, tracePass, type Submit, type TraceSeen } from './trace.ts';

/** Caches and buffers for a model's texts. */
export class ContextCore {
  readonly model: ContextModel;
  readonly batch: number;
  readonly capacity: number;
  /** Undefined without an encoder. */
  readonly sources: Sources | undefined;
  readonly #bound: BoundContext;
  readonly #words: Uint32Array<ArrayBuffer>;
  /** A token of each sequence. */
  readonly #ones: readonly number[];
  #destroyed = false;

  constructor(model: ContextModel, batch: number, capacity: number, bound: BoundContext) {
    this.model = model;
    this.batch = batch;
    this.capacity = capacity;
    this.#bound = bound;
    this.#ones = Array.from({ length: batch }, () => 1);
    this.sources = bound.encoder && new Sources(model.device, bound, bound.encoder);
    this.#words = new Uint32Array(modelStepWords(mostNumbers(bound.activations)));
  }

  /** The cache of all layers. */
  get cache(): KvCache {
    return this.#bound.attention.cache;
  }

  get vocabSize(): number {
    return this.model.spec.vocabSize;
  }

  /** Tokens that each sequence holds, [B]. */
  get lengths(): number[] {
    return this.cache.kvLens();
  }

  /** Rows of logits that are computed at once. */
  get logitRows(): number {
    return this.#bound.activations.logitRows;
  }

  /** Tokens of a pass at most, over all sequences. */
  get passRows(): number {
    return this.#bound.activations.rows;
  }

  /** Makes sequence `to` a copy of `from`, its source too. */
  async fork(from: number, to: number): Promise<void> {
    await this.sources?.cache.fork(from, to);
    await this.cache.fork(from, to);
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
    for (const rows of this.#passes(tokens)) {
      await this.#submit((pass) => this.#recordChunk(pass, rows));
      for (const slice of this.#slices(rows)) {
        await this.#submit((pass) => this.#recordLogits(pass, slice));
        for (const [i, logits] of (await this.#readLogits(slice.length)).entries()) {
          const row = slice[i]!;
          each({ sequence: rows.sequences[row]!, position: rows.positions[row]!, logits: logits.slice() });
        }
      }
    }
  }

  /** Takes tokens of the only sequence by passes of a kind, and tells of all that they come to: see `tracePass`. */
  async trace(tokens: readonly number[], kind: StepKind, { hidden, logits }: TraceSeen): Promise<void> {
    const { device, spec } = this.model;
    const submit: Submit = (record) => this.#submit(record);
    for (const list of kind === 'one' ? tokens.map((token) => [token]) : [tokens]) {
      for (const rows of this.#passes([list])) {
        const offset = this.#place(rows.positions, rows.rows);
        await tracePass(device, this.#bound, spec.hiddenSize, kind, rows, offset, submit, hidden);
        for (const slice of this.#slices(rows)) {
          await this.#submit((pass) => {
            if (kind === 'one') this.#bound.headOfX.record(pass, 1, offset);
            else this.#recordLogits(pass, slice);
          });
          (await this.#readLogits(slice.length)).forEach(logits);
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

  /** Chooses the next token of each sequence after `feed`, [B]. The cache does not hold it yet. */
  async chooseAfterFeed(sampling: Sampling): Promise<number[]> {
    await this.#submit((pass) => this.#recordChoice(pass, sampling));
    return (await readTokens(this.model, this.#bound.results, 1, this.batch))[0]!;
  }

  /** Takes the tokens chosen last and chooses the next ones, so many times: [steps] lists of [B]. Nothing is read in between. */
  async chooseNext(steps: number, sampling: Sampling): Promise<number[][]> {
    checkWhole('chooseNext: steps', steps, 1, MOST_SLOTS);
    this.assertUsable();
    await this.#submit((pass) => {
      for (let slot = 0; slot < steps; slot++) this.recordNext(pass, slot, sampling);
    });
    return readTokens(this.model, this.#bound.results, steps, this.batch);
  }

  /** Records a step that takes the tokens chosen last and chooses the next ones, or no more than some parts of it, in order. */
  recordNext(
    pass: GPUComputePassEncoder,
    slot: number,
    sampling: Sampling,
    parts: ReadonlySet<StepPart> = WHOLE_STEP,
  ): void {
    const { attention, one, headOfX } = this.#bound;
    const positions = this.lengths;
    const offset = this.#place(positions, this.batch, { slot, sampling });
    const kvLens = positions.map((position) => position + 1);
    const plans = attention.plan('one', kvLens, this.#ones);
    one.record(pass, { attention, plans, counts: this.#ones, rows: this.batch, stepOffset: offset }, parts);
    if (!parts.has('head')) return;
    headOfX.record(pass, this.batch, offset);
    dispatch(pass, this.#chooser(sampling), [this.batch, 1, 1], offset);
  }

  /**
   * Records a pass of `feed`, and `chooseAfterFeed` where it is the last and has a `sampling`. Ids are written before any pass runs: those that
   * are recorded before the first is submitted have to hold the same tokens, row by row.
   */
  recordPrompt(pass: GPUComputePassEncoder, rows: PassRows, sampling: Sampling | undefined): void {
    this.#recordChunk(pass, rows);
    this.#recordGather(pass, rows.lastRows, rows.lastOf);
    if (sampling) this.#recordChoice(pass, sampling);
  }

  /** False once it or its model was destroyed, or its device lost. */
  get isUsable(): boolean {
    try {
      this.assertUsable();
      return true;
    } catch {
      return false;
    }
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
    this.#bound.encoder?.destroy();
    this.#bound.attention.destroy();
    this.#bound.step.destroy();
    for (const buffer of this.#bound.buffers) buffer.destroy();
  }

  *#passes(tokens: readonly (readonly number[])[]): Generator<PassRows> {
    this.assertUsable();
    const { lengths } = this;
    yield* cutIntoPasses(tokens, lengths, this.#bound.activations.rows);
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
    const stepOffset = this.#place(rows.positions, rows.rows);
    chunk.record(pass, { attention, plans, counts: rows.counts, rows: rows.rows, stepOffset });
  }

  /** The choice of each sequence's next token, by its last hidden state. */
  #recordChoice(pass: GPUComputePassEncoder, sampling: Sampling): void {
    const positions = this.lengths.map((length) => length - 1);
    const offset = this.#place(positions, this.batch, { slot: 0, sampling });
    this.#bound.headOfLast.record(pass, this.batch, offset);
    dispatch(pass, this.#chooser(sampling), [this.batch, 1, 1], offset);
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

  /** Rows of logits that were computed last. */
  #readLogits(count: number): Promise<Float32Array[]> {
    const { strides, logits } = this.#bound.activations;
    return readRows(this.model.device, logits, strides.logits, count, this.vocabSize);
  }

  #chooser({ temperature }: Sampling): BoundKernel {
    return temperature === 0 ? this.#bound.greedy : this.#bound.draw;
  }

  async #submit(record: (pass: GPUComputePassEncoder) => void): Promise<void> {
    await submitted(this.model.device, 'model', (encoder) => {
      const pass = encoder.beginComputePass({ label: 'model' });
      record(pass);
      pass.end();
    });
  }
}

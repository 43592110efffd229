// kvCache.ts: a preallocated KV cache in GPU storage buffers: append in place, truncate, load from the host.
import { DestroyedError } from '../device/errors.ts';
import type { GqaDevice } from '../device/gqaDevice.ts';
import { checkList, checkOptions, checkWhole } from '../device/options.ts';
import type { CompiledKernel } from '../device/pipelines.ts';
import type { RecordTarget } from '../device/record.ts';
import { validated } from '../device/scopes.ts';
import { APPEND_OPTIONS, BoundAppend, type AppendOptions, type BoundRows } from './boundAppend.ts';
import { Appends } from './appends.ts';
import { setPages, type CallerPages, type SetPagesOptions } from './setPages.ts';
import { Forks, type ForkKernels } from './forks.ts';
import { checkAppend, type AppendArgs, type CheckedRows } from './appendArgs.ts';
import { buffersOf, type CacheLayer } from './layers.ts';
import type { CacheLayout } from './layout.ts';
import { CacheLengths } from './lengths.ts';
import { load, type LoadArgs } from './load.ts';
import type { PageTables } from './pageTables.ts';
import { nameOf, tablesOf, type CacheParts } from './parts.ts';
import { checkSnapshotOptions, restore, snapshot, type SnapshotOptions } from './snapshot.ts';
import type { CacheSnapshot, StoredSnapshot } from './snapshotFormat.ts';
import { CacheStatus, type CacheReport } from './status.ts';
import { truncate, type TruncateOptions } from './truncate.ts';

/** @internal What a cache dispatches. */
export interface CacheKernels {
  /** Of each layer. */
  readonly append: readonly CompiledKernel[];
  readonly fork: ForkKernels;
}

/** A KV cache. Lengths are kept on the host, per layer; slots past a length may hold anything. */
export class KvCache {
  readonly device: GqaDevice;
  readonly layout: CacheLayout;
  /** Where each layer's K and V lie. Small layers share buffers. */
  readonly layers: readonly CacheLayer[];
  /** Bytes of the buffers that the layers lie in: `layout.totalBytes` and what aligning them takes. */
  readonly allocatedBytes: number;
  readonly #appends: Appends;
  readonly #parts: CacheParts;
  readonly #forks: Forks;
  readonly #stopChecks: () => void;
  /** The last call that others wait for, done or refused. */
  #appending: Promise<unknown> = Promise.resolve();
  #destroyed = false;

  /** @internal Use createKvCache. */
  constructor(device: GqaDevice, layout: CacheLayout, layers: readonly CacheLayer[], kernels: CacheKernels) {
    this.device = device;
    this.layout = layout;
    this.layers = layers;
    this.allocatedBytes = buffersOf(layers).reduce((sum, { size }) => sum + size, 0);
    const lengths = new CacheLengths(layout);
    const status = new CacheStatus(device, layout.layers, (layer) => lengths.appends(layer));
    this.#parts = { device, layout, layers, lengths, status, ...tablesOf(layout) };
    this.#forks = new Forks(this.#parts, kernels.fork);
    this.#appends = new Appends(this.#parts, kernels.append, this.#forks);
    this.#stopChecks = device.onIdle(async () => {
      await this.#appending; // a refused one is counted until its refusal is known
      return this.#parts.status.check(nameOf(layout));
    });
  }

  /**
   * Tokens each sequence holds in a layer, those of appends that were recorded included: [B].
   * @param layer from 0; default 0
   */
  kvLens(layer = 0): number[] {
    this.#checkLayer('kvLens', layer);
    return [...this.#parts.lengths.live(layer)];
  }

  /** @internal Has `GqaDevice.idle` say nothing of values that are not finite: training finds them by its losses. */
  leaveValues(): void {
    this.#parts.status.leaveValues();
  }

  /** @internal The lengths themselves, which change with every append; for checks that must not allocate. */
  get lengths(): Pick<CacheLengths, 'live' | 'written' | 'shortest' | 'appends'> {
    return this.#parts.lengths;
  }

  /** Pages that no sequence holds, of a cache that takes and frees its pages itself. */
  get freePages(): number | undefined {
    return this.#parts.tables?.free;
  }

  /** @internal The pages of the cache's sequences, of a cache of pages. */
  get pageTables(): Pick<PageTables, 'pagesOf' | 'versions' | 'reserve'> | undefined {
    return this.#parts.tables;
  }

  /** @internal Records the copies of pages that plans have asked for, before work that reads them. */
  recordCopies(pass: GPUComputePassEncoder, target: RecordTarget): void {
    this.#forks.recordCopies(pass, target);
  }

  /** @internal Notes that a layer was read by work recorded into the target, which needs all that was appended before. */
  noteRead(layer: number, target: RecordTarget): void {
    this.#parts.status.noteRead(layer, target);
  }

  /**
   * Binds buffers of new tokens to a layer, once; the result then records any number of appends without
   * creating GPU objects. With `rope` or `qkNorm` it compiles a kernel of its own, once for all layers of a shape.
   * Throws ShapeError when k is not [B, Hkv, numTokens, D] f32, v not [B, Hkv, numTokens, Dv], or q not [B, Hq, numTokens, D],
   * or when `rope` or `qkNorm` is for other rows, ForeignDeviceError when one is of another device.
   */
  async bindAppend(args: AppendArgs): Promise<BoundAppend> {
    return new BoundAppend(this, await this.#bindRows(args));
  }

  /**
   * As `bindAppend`, for several layers at once with a single wait: the results are in the order of the list, and a `layer`
   * that is left out is the place in it. Nothing is bound when one is refused.
   */
  async bindAppends(layers: readonly AppendArgs[]): Promise<BoundAppend[]> {
    checkList('bindAppends: layers', layers);
    const all = layers.map((args, i) => checkAppend(`bindAppends: layers[${i}]`, this, args, i));
    return (await this.#bind(all)).map((rows) => new BoundAppend(this, rows));
  }

  async #bindRows(args: AppendArgs): Promise<BoundRows> {
    const [bound] = await this.#bind([checkAppend('append', this, args, 0)]);
    return bound!;
  }

  async #bind(all: readonly CheckedRows[]): Promise<BoundRows[]> {
    const kernels = await Promise.all(all.map((rows) => this.#appends.compile(rows)));
    this.assertUsable();
    return validated(this.device, 'append', () =>
      all.map((rows, i) => this.#appends.bind(rows, kernels[i]!)),
    );
  }

  /**
   * Appends tokens to a layer and submits: all rows of each sequence, or as many as the options say. Appends take effect one
   * after the other, in the order of their calls. For a step of an engine, bind once and record instead. Throws as
   * `bindAppend` and `BoundAppend.record` do, and GpuError when WebGPU refuses the submit: the layer has its lengths of before
   * then.
   */
  async append(args: AppendArgs, options: AppendOptions = {}): Promise<void> {
    checkOptions('append', options, APPEND_OPTIONS);
    const numTokens = Array.isArray(options.numTokens) ? [...options.numTokens] : options.numTokens;
    const before = this.#appending;
    const mine = this.#bindRows(args).then(async (rows) => {
      await before;
      this.assertUsable();
      await this.#appends.submit(rows, numTokens);
    });
    this.#appending = Promise.allSettled([before, mine]);
    return mine;
  }

  /** @internal Checks that the tokens fit before anything is recorded, then records and counts them. */
  recordAppend(target: RecordTarget, rows: BoundRows, numTokens?: number | readonly number[]): void {
    this.assertUsable();
    this.#appends.record(target, rows, numTokens);
  }

  /**
   * Makes `to` a copy of `from` in all layers, whatever it held, and submits; takes effect in the order of the calls of `append`
   * and `fork`. Throws ShapeError when there are no such sequences or the two are one, and while an append or fork is recorded
   * and not submitted, whose rows would not be in the copy; GpuError when WebGPU refuses the submit: `to` is empty then.
   */
  async fork(from: number, to: number): Promise<void> {
    this.assertUsable();
    this.#forks.check(from, to);
    return this.#inOrder(() => this.#forks.submit(from, to));
  }

  /**
   * Records such a copy and counts its tokens at once. As for a recorded append: submit in the order of recording, before the
   * cache is read; what does not happen comes out of `GqaDevice.idle`, and `truncate` puts it right.
   * Throws ShapeError when there are no such sequences, the two are one or the target is not open, ForeignDeviceError when
   * the target is of another device: then nothing was recorded and the cache is unchanged.
   */
  recordFork(target: RecordTarget, from: number, to: number): void {
    this.assertUsable();
    this.#forks.check(from, to);
    this.#forks.record(target, from, to);
  }

  /**
   * Says which pages each sequence has, in a cache with `pageTables: 'caller'`, and so how many tokens: in all layers as many as
   * there is room for, less the new ones. Plans stay good for sequences that got more pages only. Throws ShapeError, and changes
   * nothing, for a table that cannot be.
   */
  setPages(table: CallerPages, options: SetPagesOptions = {}): void {
    this.assertUsable();
    setPages(this.#parts, table, options);
  }

  /** Forgets all tokens of a sequence, in all layers: its place is free for another one. Others stay where they are. */
  reset(sequence: number): void {
    this.assertUsable();
    checkWhole('reset: sequence', sequence, 0, this.layout.batch - 1);
    this.#parts.lengths.truncateSequence(sequence, 0);
    this.#parts.tables?.shorten(sequence, 0);
  }

  /**
   * Forgets tokens from the end, in all layers, of one sequence or of all. Throws ShapeError when a layer holds fewer than are
   * to be kept. With all sequences, appends that were recorded and not executed are expected no more.
   * @param kvLens tokens to keep: [B], or one number for all sequences, or for the one of `sequence`
   */
  truncate(kvLens: number | readonly number[], options: TruncateOptions = {}): void {
    this.assertUsable();
    truncate(this.#parts, kvLens, options);
    if (options.sequence === undefined) this.#forks.copyAgain();
  }

  /**
   * Replaces a layer's stored bytes and lengths by the host's: a restored snapshot, a prefill made elsewhere, a test. Takes
   * effect before what is submitted later, whenever that was recorded. The bytes are taken as they are: `encodeRows` counts
   * what a type cannot hold where they are made.
   */
  load(args: LoadArgs): void {
    this.assertUsable();
    load(this.#parts, args);
  }

  /**
   * Copies the tokens of all sequences, or of one, to the host, as they are stored: after all that was submitted before, and in
   * the order of the calls of `append` and `fork`. `writeSafetensors` of `gqa-webgpu/checkpoint` takes what it gives. Needs as
   * much memory again, on the device too. Throws ShapeError while an append or fork is recorded and not submitted.
   */
  async snapshot(options: SnapshotOptions = {}): Promise<CacheSnapshot> {
    this.assertUsable();
    checkSnapshotOptions('snapshot', options, this.#parts);
    const { sequence } = options;
    return this.#inOrder(() => snapshot(this.#parts, sequence === undefined ? {} : { sequence }));
  }

  /**
   * Puts the sequences of a snapshot back in their places, or the only one of it in the place of any, whatever was there; other
   * sequences stay. The cache may be another one, of another batch, capacity or device; element types and shapes of its layers
   * are the same. In the order of the calls of `append` and `fork`. Throws ShapeError for a snapshot that does not fit or is
   * damaged, and while an append or fork is recorded and not submitted, which would write over it: the cache is unchanged then.
   */
  async restore(stored: StoredSnapshot, options: SnapshotOptions = {}): Promise<void> {
    this.assertUsable();
    checkSnapshotOptions('restore', options, this.#parts);
    const { sequence } = options;
    return this.#inOrder(() => {
      this.#forks.submitCopies();
      restore(this.#parts, stored, sequence === undefined ? {} : { sequence });
    });
  }

  /** Does what must wait for the calls before it, as the next of them. */
  async #inOrder<T>(act: () => T | Promise<T>): Promise<T> {
    const mine = this.#appending.then(() => {
      this.assertUsable();
      return act();
    });
    this.#appending = Promise.allSettled([mine]);
    return mine;
  }

  /**
   * What appends have stored so far that the cache's types cannot hold, and whether they were executed: counted by the
   * device, waits for the work submitted before. `device.idle()` throws for what is not finite and not executed, once; what
   * saturated or vanished stands here alone.
   */
  async report(): Promise<CacheReport> {
    this.assertUsable();
    return this.#parts.status.report();
  }

  /** Throws when the cache or its device cannot be used any more. */
  assertUsable(): void {
    if (this.#destroyed) throw new DestroyedError('the kv cache');
    this.device.assertUsable();
  }

  #checkLayer(where: string, layer: number): void {
    this.assertUsable();
    checkWhole(`${where}: layer`, layer, 0, this.layout.layers - 1);
  }

  /**
   * Frees the buffers. Idempotent. WebGPU returns the memory with the next submit. NaN and infinity that were appended and
   * that `idle()` has not told yet come out of the device's next `idle()`.
   */
  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    for (const buffer of buffersOf(this.layers)) buffer.destroy();
    this.#appends.destroy();
    this.#forks.destroy();
    this.#stopChecks();
    this.device.onNextIdle(this.#parts.status.destroy(nameOf(this.layout)));
  }

  [Symbol.dispose](): void {
    this.destroy();
  }
}

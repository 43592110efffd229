// kvCache.ts: a preallocated KV cache in GPU storage buffers: append in place, truncate, load from the host.
import { allocated, writeData, type StorageData } from '../device/buffers.ts';
import { DestroyedError, GqaError } from '../device/errors.ts';
import { checkBufferBytes } from '../device/deviceFacts.ts';
import { checkDevice, type GqaDevice } from '../device/gqaDevice.ts';
import { checkList, checkOptions, checkWhole, type Known } from '../device/options.ts';
import type { CompiledKernel } from '../device/pipelines.ts';
import { beginPass, bindKernel, dispatch, endPass, type RecordTarget } from '../device/record.ts';
import { StepRing } from '../device/ring.ts';
import { submitted, validated } from '../device/scopes.ts';
import { appendGrid, appendKv, appendStepWords, setAppended } from '../kernels/appendKv.ts';
import type { Grid } from '../kernels/kernel.ts';
import { APPEND_OPTIONS, BoundAppend, type AppendOptions, type BoundRows } from './boundAppend.ts';
import { checkAppend, readCounts, type AppendArgs, type CheckedRows } from './appendArgs.ts';
import { buffersOf, createLayers, type CacheLayer } from './layers.ts';
import { cacheLayout, checkKvLens, type CacheLayout, type CacheOptions } from './layout.ts';
import { CacheLengths, type CountedAppend } from './lengths.ts';
import { CacheStatus, type CacheReport } from './status.ts';
import { checkStored } from './stored.ts';

/**
 * Stored bytes for one layer, exactly as many as its K and V have (`encodeRows` gives them; f32 elements may be a
 * Float32Array), and the lengths they are valid for.
 */
export interface LoadArgs {
  /** Layer of the cache, from 0. Default 0. */
  readonly layer?: number;
  /** K, as `encodeRows(layout.k, values)` makes it. */
  readonly k: StorageData;
  /** V, as `encodeRows(layout.v, values)` makes it. */
  readonly v: StorageData;
  /** Tokens that each sequence then holds in this layer: [B], each 0 to the capacity. */
  readonly kvLens: readonly number[];
}

const LOAD_ARGS = { layer: true, k: true, v: true, kvLens: true } satisfies Known<LoadArgs>;

/** Said with every error of a device whose caches count tokens of work that was recorded or queued. */
const ADVICE =
  'Appends and loads among the work that failed did not happen, though their tokens are counted: ' +
  'cache.truncate() to the lengths known to be good puts that right.';

/**
 * Allocates a cache. Throws ShapeError for bad numbers, LimitExceededError when a layer's K or V is larger than one
 * binding of the device may be, GpuError when the memory cannot be had; nothing stays allocated then.
 */
export async function createKvCache(device: GqaDevice, options: CacheOptions): Promise<KvCache> {
  checkDevice('createKvCache', device);
  device.assertUsable();
  const layout = cacheLayout(options);
  checkBufferBytes(device.facts, 'kv cache: K of one layer', layout.kBytes);
  checkBufferBytes(device.facts, 'kv cache: V of one layer', layout.vBytes);
  const append = await device.pipelines.get(appendKv(layout));
  return allocated(device, `kv cache: ${layout.totalBytes} bytes`, (create) => {
    return new KvCache(device, layout, createLayers(layout, device.facts, create), append);
  });
}

/** A KV cache. Lengths are kept on the host, per layer; slots past a length may hold anything. */
export class KvCache {
  readonly device: GqaDevice;
  readonly layout: CacheLayout;
  /** Where each layer's K and V lie. Small layers share buffers. */
  readonly layers: readonly CacheLayer[];
  /** Bytes of the buffers that the layers lie in: `layout.totalBytes` and what aligning them takes. */
  readonly allocatedBytes: number;
  readonly #append: CompiledKernel;
  readonly #ring: StepRing;
  /** The `step` binding's words. */
  readonly #stepWords: Uint32Array<ArrayBuffer>;
  /** Tokens of each sequence in the append that is being recorded. */
  readonly #counts: Uint32Array;
  readonly #lengths: CacheLengths;
  readonly #status: CacheStatus;
  readonly #stopChecks: () => void;
  /** The last `append`, done or refused. */
  #appending: Promise<unknown> = Promise.resolve();
  #destroyed = false;

  /** @internal Use createKvCache. */
  constructor(device: GqaDevice, layout: CacheLayout, layers: readonly CacheLayer[], append: CompiledKernel) {
    this.device = device;
    this.layout = layout;
    this.layers = layers;
    this.allocatedBytes = buffersOf(layers).reduce((sum, { size }) => sum + size, 0);
    this.#append = append;
    this.#stepWords = appendStepWords(layout);
    this.#counts = new Uint32Array(layout.batch);
    this.#ring = new StepRing(device, 'append step', this.#stepWords.length);
    this.#lengths = new CacheLengths(layout);
    this.#status = new CacheStatus(device, layout.layers, (layer) => this.#lengths.appends(layer));
    this.#stopChecks = device.onIdle(async () => {
      await this.#appending; // a refused one is counted until its refusal is known
      return this.#status.check(nameOf(layout));
    });
  }

  /**
   * Tokens each sequence holds in a layer, those of appends that were recorded included: [B].
   * @param layer from 0; default 0
   */
  kvLens(layer = 0): number[] {
    this.#checkLayer('kvLens', layer);
    return [...this.#lengths.live(layer)];
  }

  /** @internal The lengths themselves, which change with every append; for checks that must not allocate. */
  liveKvLens(layer: number): readonly number[] {
    return this.#lengths.live(layer);
  }

  /** @internal Notes that a layer was read by work recorded into the target, which needs all that was appended before. */
  noteRead(layer: number, target: RecordTarget): void {
    this.#status.noteRead(layer, target);
  }

  /** @internal Appends recorded into a layer, without those that were taken back: what the GPU should have executed. */
  appendsRecorded(layer: number): number {
    return this.#lengths.appends(layer);
  }

  /**
   * Binds buffers of new tokens to a layer, once; the result then records any number of appends without
   * creating GPU objects.
   * Throws ShapeError when k is not [B, Hkv, numTokens, D] f32 or v not [B, Hkv, numTokens, Dv], ForeignDeviceError when one is of another device.
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
    const all = layers.map((args, i) => this.#checked(`bindAppends: layers[${i}]`, args, i));
    const bound = await validated(this.device, 'append', () => all.map((rows) => this.#bound(rows)));
    return bound.map((rows) => new BoundAppend(this, rows));
  }

  async #bindRows(args: AppendArgs): Promise<BoundRows> {
    const rows = this.#checked('append', args, 0);
    return validated(this.device, 'append', () => this.#bound(rows));
  }

  #checked(where: string, args: AppendArgs, defaultLayer: number): CheckedRows {
    return checkAppend(where, this, args, defaultLayer);
  }

  #bound({ layer, numTokens, grid, ranges }: CheckedRows): BoundRows {
    const buffers = { ...ranges, status: this.#status.range(layer), step: this.#ring };
    return { kernel: bindKernel(this.device.gpu, this.#append, buffers), layer, numTokens, grid };
  }

  /**
   * Appends tokens to a layer and submits: as many to each sequence as its rows, or as the options say. Appends take effect one after the other, in the order of their calls. For a step of
   * an engine, bind once and record instead. Throws as `bindAppend` and `BoundAppend.record` do, and GpuError when WebGPU
   * refuses the submit: the layer has its lengths of before then.
   */
  async append(args: AppendArgs, options: AppendOptions = {}): Promise<void> {
    checkOptions('append', options, APPEND_OPTIONS);
    const numTokens = Array.isArray(options.numTokens) ? [...options.numTokens] : options.numTokens;
    const before = this.#appending;
    const mine = this.#bindRows(args).then(async (rows) => {
      await before;
      await this.#submitAppend(rows, numTokens);
    });
    this.#appending = Promise.allSettled([before, mine]);
    return mine;
  }

  async #submitAppend(rows: BoundRows, numTokens: AppendOptions['numTokens']): Promise<void> {
    let counted: CountedAppend | undefined;
    try {
      await submitted(this.device, 'append', (encoder) => {
        this.recordAppend(encoder, rows, numTokens);
        counted = this.#lengths.mark(rows.layer, this.#counts);
      });
    } catch (error) {
      if (counted && this.#lengths.takeBack(counted)) {
        const also = `; what was appended to layer ${rows.layer} behind it is forgotten too`;
        if (error instanceof GqaError) error.message += also;
      }
      throw error;
    }
  }

  /** @internal Checks that the tokens fit before anything is recorded, then records and counts them. */
  recordAppend(target: RecordTarget, rows: BoundRows, numTokens?: number | readonly number[]): void {
    this.assertUsable();
    const { kernel, layer, grid } = rows;
    const most = readCounts(numTokens, rows.numTokens, this.#counts);
    this.#lengths.checkRoom(layer, this.#counts);
    const pass = beginPass('append', this.device, target);
    setAppended(this.#stepWords, rows.numTokens, this.#lengths.live(layer), this.#counts);
    dispatch(
      pass,
      kernel,
      most === rows.numTokens ? grid : this.#gridOf(most),
      this.#ring.place(this.#stepWords),
    );
    endPass(target, pass);
    this.#lengths.count(layer, this.#counts);
    this.#status.noteAppend(layer, target);
    this.device.advise(ADVICE);
  }

  #gridOf(numTokens: number): Grid {
    return appendGrid(this.layout.batch, this.layout.numKvHeads, numTokens);
  }

  /**
   * Forgets tokens from the end, in all layers. Throws ShapeError when a layer holds fewer than are to be kept.
   * @param kvLens tokens to keep: [B], or one number for all sequences
   */
  truncate(kvLens: number | readonly number[]): void {
    this.assertUsable();
    const { batch, capacity } = this.layout;
    const wanted = typeof kvLens === 'number' ? Array.from({ length: batch }, () => kvLens) : kvLens;
    checkKvLens('truncate', wanted, batch, capacity);
    this.#lengths.truncate(wanted);
    this.#status.giveUp(this.layers.map((_, layer) => layer));
  }

  /**
   * Replaces a layer's stored bytes and lengths by the host's: a restored snapshot, a prefill made elsewhere, a test. Takes
   * effect before what is submitted later, whenever that was recorded. The bytes are taken as they are: `encodeRows` counts
   * what a type cannot hold where they are made.
   */
  load(args: LoadArgs): void {
    checkOptions('load', args, LOAD_ARGS);
    const { layer = 0, k, v, kvLens } = args;
    this.#checkLayer('load', layer);
    const { batch, capacity, kType, vType, kBytes, vBytes } = this.layout;
    checkKvLens('load', kvLens, batch, capacity);
    checkStored('load: k', k, kType, kBytes);
    checkStored('load: v', v, vType, vBytes);
    writeData(this.device, this.layers[layer]!.k, k);
    writeData(this.device, this.layers[layer]!.v, v);
    this.#lengths.replace(layer, kvLens);
    this.#status.giveUp([layer]);
    this.device.advise(ADVICE);
  }

  /**
   * What appends have stored so far that the cache's types cannot hold, and whether they were executed: counted by the
   * device, waits for the work submitted before. `device.idle()` throws for what is not finite and not executed, once; what
   * saturated or vanished stands here alone.
   */
  async report(): Promise<CacheReport> {
    this.assertUsable();
    return this.#status.report();
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
    this.#ring.destroy();
    this.#stopChecks();
    this.device.onNextIdle(this.#status.destroy(nameOf(this.layout)));
  }

  [Symbol.dispose](): void {
    this.destroy();
  }
}

function nameOf({ numKvHeads, headDim, vHeadDim, capacity, kType, vType }: CacheLayout): string {
  const dims = vHeadDim === headDim ? `${headDim}` : `${headDim} (V ${vHeadDim})`;
  return `kv cache of ${numKvHeads} KV heads, head dim ${dims}, capacity ${capacity}, K ${kType}, V ${vType}`;
}

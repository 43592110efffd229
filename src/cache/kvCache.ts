// kvCache.ts: a preallocated KV cache in GPU storage buffers: append in place, truncate, load from the host.
import {
  allocated,
  checkRange,
  checkWritten,
  createStorage,
  validated,
  type BufferArg,
} from '../device/buffers.ts';
import { DestroyedError, LimitExceededError, ShapeError } from '../device/errors.ts';
import { checkBufferBytes, type GqaDevice } from '../device/gqaDevice.ts';
import type { CompiledKernel } from '../device/pipelines.ts';
import {
  beginPass,
  bindKernel,
  dispatch,
  endPass,
  type BoundKernel,
  type RecordTarget,
} from '../device/record.ts';
import { StepRing } from '../device/ring.ts';
import { appendGrid, appendKv } from '../kernels/appendKv.ts';
import type { Grid } from '../kernels/kernel.ts';
import { checkWhole } from '../kernels/shape.ts';
import { cacheLayout, checkKvLens, type CacheLayout, type CacheOptions } from './layout.ts';

/** K and V buffers of one layer: rows [B, Hkv, capacity, D] in the cache's element types, then their scales. */
export interface CacheLayer {
  readonly k: GPUBuffer;
  readonly v: GPUBuffer;
}

/** New tokens for one layer: k and v are f32 [B, Hkv, numTokens, D]. */
export interface AppendArgs {
  /** Layer of the cache, from 0. Default 0. */
  readonly layer?: number;
  /** f32 [B, Hkv, numTokens, D]; exactly that many bytes. */
  readonly k: BufferArg;
  /** f32 [B, Hkv, numTokens, D]; exactly that many bytes. */
  readonly v: BufferArg;
  /** Tokens that each sequence gets, 1 to the capacity. Default 1. */
  readonly numTokens?: number;
}

/** Stored bytes for one layer, each exactly as long as its buffer, and the lengths they are valid for. */
export interface LoadArgs {
  /** Layer of the cache, from 0. Default 0. */
  readonly layer?: number;
  /** `layout.kBytes` bytes, as `encodeRows(layout.k, values)` makes them. */
  readonly k: ArrayBufferView;
  /** `layout.vBytes` bytes, as `encodeRows(layout.v, values)` makes them. */
  readonly v: ArrayBufferView;
  /** Tokens that each sequence then holds in this layer: [B], each 0 to the capacity. */
  readonly kvLens: readonly number[];
}

/**
 * Allocates a cache. Throws ShapeError for bad numbers, LimitExceededError when a layer's K or V is larger than one
 * binding of the device may be, GpuError when the memory cannot be had; nothing stays allocated then.
 */
export async function createKvCache(device: GqaDevice, options: CacheOptions): Promise<KvCache> {
  device.assertUsable();
  const layout = cacheLayout(options);
  checkBufferBytes(device.facts, 'kv cache: K of one layer', layout.kBytes);
  checkBufferBytes(device.facts, 'kv cache: V of one layer', layout.vBytes);
  const append = await device.pipelines.get(appendKv(layout.headDim, layout));
  return allocated(device, `kv cache: ${layout.totalBytes} bytes`, () => {
    const layers = Array.from({ length: layout.layers }, (_, layer) => ({
      k: createStorage(device, `k_cache layer ${layer}`, layout.kBytes),
      v: createStorage(device, `v_cache layer ${layer}`, layout.vBytes),
    }));
    return new KvCache(device, layout, layers, append);
  });
}

/** A KV cache. Lengths are kept on the host, per layer; slots past a length may hold anything. */
export class KvCache {
  readonly device: GqaDevice;
  readonly layout: CacheLayout;
  readonly layers: readonly CacheLayer[];
  readonly #append: CompiledKernel;
  readonly #ring: StepRing;
  /** The `step` binding's words: struct AppendStep of shaders/append_kv.wgsl. */
  readonly #stepWords: Uint32Array<ArrayBuffer>;
  readonly #kvLens: number[][];
  #destroyed = false;

  /** @internal Use createKvCache. */
  constructor(device: GqaDevice, layout: CacheLayout, layers: readonly CacheLayer[], append: CompiledKernel) {
    this.device = device;
    this.layout = layout;
    this.layers = layers;
    this.#append = append;
    this.#stepWords = new Uint32Array(4 + layout.batch);
    this.#stepWords.set([0, layout.capacity, layout.kScales * 4, layout.vScales * 4]);
    this.#ring = new StepRing(device, 'append step', this.#stepWords.length);
    this.#kvLens = layers.map(() => Array.from({ length: layout.batch }, () => 0));
  }

  /**
   * Tokens each sequence holds in a layer, as of now: [B].
   * @param layer from 0; default 0
   */
  kvLens(layer = 0): number[] {
    this.#checkLayer('kvLens', layer);
    return [...this.#kvLens[layer]!];
  }

  /** @internal The lengths themselves, which change with every append; for checks that must not allocate. */
  liveKvLens(layer: number): readonly number[] {
    return this.#kvLens[layer]!;
  }

  /**
   * Binds buffers of new tokens to a layer, once; the result then records any number of appends without
   * creating GPU objects.
   * Throws ShapeError when k or v is not [B, Hkv, numTokens, D] f32, ForeignDeviceError when one is of another device.
   */
  async bindAppend({ layer = 0, k, v, numTokens = 1 }: AppendArgs): Promise<BoundAppend> {
    this.#checkLayer('append', layer);
    const { batch, numKvHeads, headDim, capacity } = this.layout;
    checkWhole('append: numTokens', numTokens, 1, capacity);
    const grid = appendGrid(batch, numKvHeads, numTokens);
    const { maxGrid } = this.device.facts;
    if (grid[0] > maxGrid) {
      throw new LimitExceededError('append', 'maxComputeWorkgroupsPerDimension', grid[0], maxGrid);
    }
    const bytes = batch * numKvHeads * numTokens * headDim * 4;
    const ranges = {
      k: checkRange(this.device, 'append: k', k, bytes),
      v: checkRange(this.device, 'append: v', v, bytes),
      k_cache: { buffer: this.layers[layer]!.k, offset: 0, size: this.layout.kBytes },
      v_cache: { buffer: this.layers[layer]!.v, offset: 0, size: this.layout.vBytes },
    };
    checkWritten('append', ['k_cache', 'v_cache'], ranges);
    const buffers = { ...ranges, step: this.#ring };
    const bound = await validated(this.device, 'append', () =>
      bindKernel(this.device.device, this.#append, buffers),
    );
    return new BoundAppend(this, { kernel: bound, layer, numTokens, grid });
  }

  /** Appends tokens to a layer and submits. For a step of an engine, bind once and record instead. */
  async append(args: AppendArgs): Promise<void> {
    const bound = await this.bindAppend(args);
    const encoder = this.device.device.createCommandEncoder({ label: 'append' });
    bound.record(encoder);
    this.device.device.queue.submit([encoder.finish()]);
  }

  /** @internal Checks that the tokens fit before anything is recorded, then records and counts them. */
  recordAppend(target: RecordTarget, { kernel, layer, numTokens, grid }: BoundRows): void {
    this.assertUsable();
    const { batch, capacity } = this.layout;
    const lens = this.#kvLens[layer]!;
    for (let b = 0; b < batch; b++) {
      if (lens[b]! + numTokens > capacity) {
        throw new ShapeError(
          `append: sequence ${b} of layer ${layer} holds ${lens[b]} tokens; ${numTokens} more exceed the capacity of ${capacity}`,
        );
      }
    }
    this.#stepWords[0] = numTokens;
    this.#stepWords.set(lens, 4);
    const offset = this.#ring.place(this.#stepWords);
    const pass = beginPass(target);
    dispatch(pass, kernel, grid, offset);
    endPass(target, pass);
    for (let b = 0; b < batch; b++) lens[b]! += numTokens;
  }

  /**
   * Forgets tokens from the end, in all layers. Throws ShapeError when a layer holds fewer than are to be kept.
   * @param kvLens tokens to keep: [B], or one number for all sequences
   */
  truncate(kvLens: number | readonly number[]): void {
    this.assertUsable();
    const wanted =
      typeof kvLens === 'number' ? Array.from({ length: this.layout.batch }, () => kvLens) : kvLens;
    checkKvLens('truncate', wanted, this.layout.batch, this.layout.capacity);
    this.#kvLens.forEach((lens, layer) => checkShorter(layer, lens, wanted));
    for (const lens of this.#kvLens) lens.splice(0, lens.length, ...wanted);
  }

  /** Replaces a layer's stored bytes and lengths by the host's: a restored snapshot, a prefill made elsewhere, a test. */
  load({ layer = 0, k, v, kvLens }: LoadArgs): void {
    this.#checkLayer('load', layer);
    checkKvLens('load', kvLens, this.layout.batch, this.layout.capacity);
    checkBytes('load: k', k, this.layout.kBytes);
    checkBytes('load: v', v, this.layout.vBytes);
    const { queue } = this.device.device;
    queue.writeBuffer(this.layers[layer]!.k, 0, k.buffer, k.byteOffset, k.byteLength);
    queue.writeBuffer(this.layers[layer]!.v, 0, v.buffer, v.byteOffset, v.byteLength);
    this.#kvLens[layer]!.splice(0, this.layout.batch, ...kvLens);
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

  /** Frees the buffers. Idempotent. WebGPU returns the memory with the next submit. */
  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    for (const { k, v } of this.layers) {
      k.destroy();
      v.destroy();
    }
    this.#ring.destroy();
  }

  [Symbol.dispose](): void {
    this.destroy();
  }
}

function checkShorter(layer: number, held: readonly number[], wanted: readonly number[]): void {
  wanted.forEach((kvLen, b) => {
    if (kvLen > held[b]!) {
      throw new ShapeError(
        `truncate: sequence ${b} of layer ${layer} holds ${held[b]} tokens, cannot keep ${kvLen}`,
      );
    }
  });
}

function checkBytes(what: string, data: ArrayBufferView, bytes: number): void {
  if (data.byteLength !== bytes)
    throw new ShapeError(`${what}: expected ${bytes} bytes, got ${data.byteLength}`);
}

/** New rows bound to a layer: the kernel with their buffers, and how much of it to dispatch. */
interface BoundRows {
  readonly kernel: BoundKernel;
  readonly layer: number;
  readonly numTokens: number;
  readonly grid: Grid;
}

/** Buffers of new tokens bound to a layer of a cache. */
export class BoundAppend {
  readonly #cache: KvCache;
  readonly #rows: BoundRows;

  /** @internal Use KvCache.bindAppend. */
  constructor(cache: KvCache, rows: BoundRows) {
    this.#cache = cache;
    this.#rows = rows;
  }

  /**
   * Records the append and counts its tokens at once; submit what was recorded before reading the cache. Up to
   * RING_SLOTS appends at different lengths may be recorded before the first of them is submitted.
   * Throws ShapeError when a sequence has no room: then nothing was recorded and the cache is unchanged.
   */
  record(target: RecordTarget): void {
    this.#cache.recordAppend(target, this.#rows);
  }
}

// realCache.ts: the cache and decoder that sequences of calls are made on, with all buffers they need.
import { expect } from 'vitest';
import {
  createDecoder,
  createKvCache,
  createStorage,
  type BoundAppend,
  type CacheSnapshot,
  type DecodeStep,
  type Decoder,
  type GqaDevice,
  type KvCache,
} from '../../src/index.ts';
import { normals } from '../../src/numbers/random.ts';
import { CACHE, LAYERS, Q_HEADS, type CacheModel, type ErrorClass, type Setup } from './cacheModel.ts';
import { failure } from './failure.ts';
import type { LiveBuffers } from './liveBuffers.ts';

/** Labels of what holds K and V. */
const CACHE_BUFFERS = /^[kv]_cache /;

/** A cache and a decoder on it, bound to buffers of q, k and v, and to o and lse of each layer. */
export class RealCache {
  cache!: KvCache;
  decoder!: Decoder;
  /** The last snapshot. */
  saved: CacheSnapshot | undefined;
  appends!: readonly BoundAppend[];
  steps!: readonly DecodeStep[];
  readonly q: GPUBuffer;
  readonly k: GPUBuffer;
  readonly v: GPUBuffer;
  readonly outputs: readonly { readonly o: GPUBuffer; readonly lse: GPUBuffer }[];
  /** The buffers of the device, where they are watched. */
  live: LiveBuffers | undefined;
  /** How often each command was carried out, and how often refused. */
  readonly counts = new Map<string, number>();

  readonly device: GqaDevice;
  readonly setup: Setup;

  private constructor(device: GqaDevice, setup: Setup) {
    this.device = device;
    this.setup = setup;
    const rows = CACHE.batch * Q_HEADS * setup.qLen;
    const tokens = CACHE.batch * CACHE.numKvHeads * setup.qLen * CACHE.headDim * 4;
    this.q = createStorage(device, 'q', rows * CACHE.headDim * 4);
    this.k = createStorage(device, 'k', tokens);
    this.v = createStorage(device, 'v', tokens);
    this.outputs = Array.from({ length: LAYERS }, () => ({
      o: createStorage(device, 'o', rows * CACHE.headDim * 4),
      lse: createStorage(device, 'lse', rows * 4),
    }));
  }

  static async create(device: GqaDevice, setup: Setup): Promise<RealCache> {
    const real = new RealCache(device, setup);
    await real.createCache();
    await real.createDecoder();
    return real;
  }

  async createCache(): Promise<void> {
    const { kType, vType, qLen, pageSize } = this.setup;
    const paged = pageSize === undefined ? {} : { pageSize };
    this.cache = await createKvCache(this.device, { ...CACHE, ...paged, layers: LAYERS, kType, vType });
    const { k, v } = this;
    this.appends = await this.cache.bindAppends(this.outputs.map(() => ({ k, v, numTokens: qLen })));
  }

  async createDecoder(): Promise<void> {
    const { cache, q } = this;
    const { kernel, qLen } = this.setup;
    this.decoder = await createDecoder(this.device, {
      cache,
      numQHeads: Q_HEADS,
      qLen,
      ...(kernel && { kernel }),
    });
    this.steps = await this.decoder.bindLayers(this.outputs.map((buffers) => ({ q, ...buffers })));
  }

  destroy(): void {
    this.decoder.destroy();
    this.cache.destroy();
    const outputs = this.outputs.flatMap(({ o, lse }) => [o, lse]);
    for (const buffer of [this.q, this.k, this.v, ...outputs]) buffer.destroy();
  }

  /** Random queries, written to the buffer of the steps. */
  newQueries(seed: number): Float32Array<ArrayBuffer> {
    const q = normals(seed, this.q.size / 4);
    this.device.gpu.queue.writeBuffer(this.q, 0, q);
    return q;
  }

  /** New tokens, written to the buffers of the bound appends. */
  newTokens(k: Float32Array<ArrayBuffer>, v: Float32Array<ArrayBuffer>): void {
    this.device.gpu.queue.writeBuffer(this.k, 0, k);
    this.device.gpu.queue.writeBuffer(this.v, 0, v);
  }

  /** Appends to all layers and attends to these lengths, in one encoder. */
  step(kvLens: readonly number[]): void {
    const plan = this.decoder.plan({ kvLens });
    const encoder = this.device.gpu.createCommandEncoder();
    for (const [layer, append] of this.appends.entries()) {
      append.record(encoder);
      this.steps[layer]!.record(encoder, plan);
    }
    this.device.gpu.queue.submit([encoder.finish()]);
  }

  count(name: string, outcome: 'done' | 'refused'): void {
    const key = `${name} ${outcome}`;
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
  }
}

/** Fails unless the cache's lengths are the model's, and its memory on the device is what it says. */
export function expectLengths(model: CacheModel, { cache, live }: RealCache): void {
  if (model.cacheError()) return;
  if (live) expect(live.bytes(CACHE_BUFFERS)).toBe(cache.allocatedBytes);
  expect(model.layers.map((_, layer) => cache.kvLens(layer))).toEqual(model.layers.map(({ lens }) => lens));
}

/** One call: what it must throw now, or what it changes in the model. */
export interface Call {
  readonly name: string;
  readonly error: ErrorClass | undefined;
  readonly act: () => unknown;
  readonly apply?: () => void;
}

/** Does a call that must throw `error`, or else nothing; true where it was done. */
export async function carryOut(real: RealCache, { name, error, act, apply }: Call): Promise<boolean> {
  if (error) await failure(error, act);
  else {
    await act();
    apply?.();
  }
  real.count(name, error ? 'refused' : 'done');
  return !error;
}

// realCache.ts: the cache and decoders that sequences of calls are made on, with all buffers they need.
import {
  createDecoder,
  createStorage,
  type BoundAppend,
  type CacheSnapshot,
  type DecodePlan,
  type DecodeStep,
  type Decoder,
  type GqaDevice,
  type KvCache,
} from '../../src/index.ts';
import { normals } from '../../src/numbers/random.ts';
import { featuresOf, type PlanModel } from './cacheModel.ts';
import { BATCH, bindingBytes, cacheOptions, Q_HEADS, type ErrorClass, type Setup } from './cacheSetup.ts';
import { failure } from './failure.ts';
import type { Rows, TokenRows } from './layerModel.ts';
import type { LiveBuffers } from './liveBuffers.ts';
import { cacheWithin } from './smallBindings.ts';

type LayerBuffers = Readonly<Record<'q' | 'k' | 'v' | 'o' | 'lse', GPUBuffer>>;

/** A cache and decoders of its layers, bound to buffers of q, k, v, o and lse of each layer. */
export class RealCache {
  cache!: KvCache;
  /** Of each layer; layers of one shape have the same. */
  decoders: readonly Decoder[] = [];
  /** The last snapshot. */
  saved: CacheSnapshot | undefined;
  /** The plan that was made last. */
  plan: DecodePlan | undefined;
  appends!: readonly BoundAppend[];
  steps!: readonly DecodeStep[];
  readonly layers: readonly LayerBuffers[];
  /** The buffers of the device, where they are watched. */
  live: LiveBuffers | undefined;
  /** Caches and decoders that were made. */
  readonly made = { caches: 0, decoders: 0 };
  /** How often each command was carried out, and how often refused. */
  readonly counts = new Map<string, number>();

  readonly device: GqaDevice;
  readonly setup: Setup;

  private constructor(device: GqaDevice, setup: Setup) {
    this.device = device;
    this.setup = setup;
    const rows = BATCH * Q_HEADS * setup.qLen;
    this.layers = setup.layers.map(({ numKvHeads, headDim, vHeadDim }) => {
      const tokens = BATCH * numKvHeads * setup.qLen;
      const floats = {
        q: rows * headDim,
        k: tokens * headDim,
        v: tokens * vHeadDim,
        o: rows * vHeadDim,
        lse: rows,
      };
      const buffers = Object.entries(floats).map(([name, count]) => [
        name,
        createStorage(device, `test ${name}`, count * 4),
      ]);
      return Object.fromEntries(buffers) as LayerBuffers;
    });
  }

  static async create(device: GqaDevice, setup: Setup): Promise<RealCache> {
    const real = new RealCache(device, setup);
    await real.createCache();
    await real.createDecoders();
    return real;
  }

  async createCache(): Promise<void> {
    this.cache = await cacheWithin(this.device, bindingBytes(this.setup), cacheOptions(this.setup));
    this.made.caches++;
    const numTokens = this.setup.qLen;
    this.appends = await this.cache.bindAppends(this.layers.map(({ k, v }) => ({ k, v, numTokens })));
  }

  async createDecoders(): Promise<void> {
    const { cache } = this;
    const { kernel, qLen, layers } = this.setup;
    const byShape = new Map<string, Decoder>();
    const decoders: Decoder[] = [];
    const steps: DecodeStep[] = [];
    for (const [layer, setup] of layers.entries()) {
      const key = JSON.stringify(setup);
      const own = { layer, qLen, features: featuresOf(setup), ...(kernel && { kernel }) };
      const decoder =
        byShape.get(key) ?? (await createDecoder(this.device, { cache, numQHeads: Q_HEADS, ...own }));
      byShape.set(key, decoder);
      decoders.push(decoder);
      const { q, o, lse } = this.layers[layer]!;
      steps.push(await decoder.bind({ layer, q, o, lse }));
    }
    this.made.decoders += byShape.size;
    this.decoders = decoders;
    this.steps = steps;
    this.plan = undefined;
  }

  destroyDecoders(): void {
    for (const decoder of this.decoders) decoder.destroy();
  }

  destroy(): void {
    this.destroyDecoders();
    this.cache.destroy();
    for (const buffer of this.buffers) buffer.destroy();
  }

  /** Those of the test itself. */
  get buffers(): readonly GPUBuffer[] {
    return this.layers.flatMap((buffers) => Object.values(buffers));
  }

  /** Random queries, written to the buffer of a layer's step, and nothing in that of its output. */
  newQueries(layer: number, seed: number): Rows {
    const { q, o, lse } = this.layers[layer]!;
    const values = normals(seed, q.size / 4);
    this.device.gpu.queue.writeBuffer(q, 0, values);
    for (const out of [o, lse]) {
      this.device.gpu.queue.writeBuffer(out, 0, new Float32Array(out.size / 4).fill(NaN));
    }
    return values;
  }

  /** New tokens, written to the buffers of a layer's bound append. */
  newTokens(layer: number, rows: TokenRows): void {
    const { k, v } = this.layers[layer]!;
    this.device.gpu.queue.writeBuffer(k, 0, rows.k);
    this.device.gpu.queue.writeBuffer(v, 0, rows.v);
  }

  /** A plan of the decoder of a layer, kept to be run again. */
  newPlan({ layer, kvLens, qLens }: Omit<PlanModel, 'versions'>): DecodePlan {
    this.plan = this.decoders[layer]!.plan({ kvLens, qLens });
    return this.plan;
  }

  /** Appends to all layers and attends to these lengths, in one encoder. */
  step(kvLens: readonly number[]): void {
    const plans = new Map(this.decoders.map((decoder) => [decoder, decoder.plan({ kvLens })]));
    const encoder = this.device.gpu.createCommandEncoder();
    for (const [layer, append] of this.appends.entries()) {
      append.record(encoder);
      this.steps[layer]!.record(encoder, plans.get(this.decoders[layer]!)!);
    }
    this.device.gpu.queue.submit([encoder.finish()]);
  }

  count(name: string, outcome: 'done' | 'refused'): void {
    const key = `${name} ${outcome}`;
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
  }
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

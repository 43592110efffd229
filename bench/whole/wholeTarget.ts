// wholeTarget.ts: a model with a context at a depth, ready to have steps recorded again and again, whole or by parts.
import { uploadStorage, type KvCache } from '../../src/index.ts';
import { bindContext } from '../../src/models/decoder/bindContext.ts';
import type { CacheSizes } from '../../src/models/decoder/cacheSizes.ts';
import { checkContext } from '../../src/models/decoder/contextArgs.ts';
import { ContextCore } from '../../src/models/decoder/contextCore.ts';
import type { LoadedWeights } from '../../src/models/decoder/loadedWeights.ts';
import type { Model } from '../../src/models/decoder/model.ts';
import { STEP_PARTS, WHOLE_STEP, type StepPart } from '../../src/models/decoder/stepParts.ts';
import { normals } from '../../src/numbers/random.ts';
import type { WholeParams } from '../schema/wholeSchema.ts';
import type { Stepped } from '../run/hostCost.ts';
import type { Recorder } from '../run/sampling.ts';

export const GREEDY = { temperature: 0, topK: 0, topP: 1, seed: 0 } as const;

/** Tokens that fill a cache at once. */
const FILLED = 256;

/** Steps of a submission, as `generate` has them by default. */
export const STEPS_OF_SUBMIT = 8;

/** A step that can be recorded. The cache is as deep behind it as before. */
export class WholeTarget {
  readonly core: ContextCore;
  readonly whole: Recorder;
  readonly parts: Readonly<Record<StepPart, Recorder>>;
  /** Steps that follow each other, as an engine has them: STEPS_OF_SUBMIT, until they are forgotten. */
  readonly stepped: Stepped;
  /** Bytes of weights and KV that each part reads in a step. */
  readonly bytes: Readonly<Record<StepPart, number>>;
  readonly kvBytes: number;
  readonly weightBytes: number;
  readonly #depth: number;

  private constructor(core: ContextCore, depth: number) {
    this.core = core;
    this.#depth = depth;
    this.whole = { record: (pass) => this.#record(pass, WHOLE_STEP) };
    this.parts = eachPart((part) => {
      const only = new Set([part]);
      return { record: (pass: GPUComputePassEncoder) => this.#record(pass, only) };
    });
    this.stepped = {
      record: (pass) => core.recordNext(pass, 0, GREEDY),
      forget: () => core.cache.truncate(depth),
    };
    this.kvBytes = kvBytesOf(core, depth);
    this.bytes = { ...weightBytes(core.model.weights), attention: this.kvBytes };
    this.weightBytes = STEP_PARTS.reduce((sum, part) => sum + this.bytes[part], 0) - this.kvBytes;
  }

  /** Allocates a context and fills its cache with random numbers up to the depth; with an encoder, also that of its sources. */
  static async create(
    model: Model,
    { batch, depth, kType, vType }: Pick<WholeParams, 'batch' | 'depth' | 'kType' | 'vType'>,
    seed: number,
  ): Promise<WholeTarget> {
    const core = await openCore(model, { batch, capacity: depth + STEPS_OF_SUBMIT, kType, vType });
    try {
      await fill(core.cache, depth, seed);
      if (core.sources) await fill(core.sources.cache, depth, seed);
      return new WholeTarget(core, depth);
    } catch (error) {
      core.destroy();
      throw error;
    }
  }

  #record(pass: GPUComputePassEncoder, parts: ReadonlySet<StepPart>): void {
    this.core.recordNext(pass, 0, GREEDY, parts);
    if (parts.has('attention')) this.core.cache.truncate(this.#depth);
  }

  destroy(): void {
    this.core.destroy();
  }
}

/** Allocates a model's caches and buffers. */
export async function openCore(model: Model, sizes: CacheSizes): Promise<ContextCore> {
  const bound = await bindContext(model, checkContext(sizes, model.spec));
  return new ContextCore(model, sizes.batch, sizes.capacity, bound);
}

/** Something for each part of a step. */
export function eachPart<T>(of: (part: StepPart) => T): Record<StepPart, T> {
  return Object.fromEntries(STEP_PARTS.map((part) => [part, of(part)])) as Record<StepPart, T>;
}

/** Bytes of weights that each part of a step, or of a pass, reads. */
export function weightBytes({ layers, head }: LoadedWeights): Record<StepPart, number> {
  const sum = (of: (layer: LoadedWeights['layers'][number]) => number) =>
    layers.reduce((total, layer) => total + of(layer), 0);
  return {
    // Of the embedding a step reads a row for each token.
    embedding: 0,
    projections: sum(({ qkv, o, cross }) => {
      // K and V of a source were computed when it was read.
      const ofCross = cross ? cross.q.matrix.bytes + cross.o.matrix.bytes : 0;
      return qkv.matrix.bytes + o.matrix.bytes + ofCross;
    }),
    attention: 0,
    mlp: sum(({ up, down }) => up.matrix.bytes + down.matrix.bytes),
    head: head.matrix.bytes,
  };
}

/** What a step reads of K and V, its own token included, and of a source as long as the depth. */
function kvBytesOf({ cache, sources, batch, model }: ContextCore, depth: number): number {
  return model.spec.layers.reduce((sum, { attention: { window = Infinity } }, layer) => {
    const own = Math.min(depth + 1, window) * cache.layout.perLayer[layer]!.bytesPerToken;
    const ofSource = sources ? depth * sources.cache.layout.perLayer[layer]!.bytesPerToken : 0;
    return sum + batch * (own + ofSource);
  }, 0);
}

/** Appends random rows to all layers of a cache. */
async function fill(cache: KvCache, depth: number, seed: number): Promise<void> {
  const { perLayer, layers, batch } = cache.layout;
  const width = ({ numKvHeads, headDim }: (typeof perLayer)[number]) => batch * numKvHeads * headDim;
  const values = normals(seed, FILLED * Math.max(...perLayer.map(width)));
  const rows = uploadStorage(cache.device, 'random rows', values);
  try {
    for (let first = 0; first < depth; first += FILLED) {
      const numTokens = Math.min(FILLED, depth - first);
      for (let layer = 0; layer < layers; layer++) {
        const range = { buffer: rows, offset: 0, size: numTokens * width(perLayer[layer]!) * 4 };
        await cache.append({ layer, k: range, v: range, numTokens });
      }
    }
  } finally {
    rows.destroy();
  }
}

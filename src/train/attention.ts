// attention.ts: causal attention of all layers of a training model: the forward pass by the caches and kernels that decode models, and backward.
import type { BoundAppend } from '../cache/boundAppend.ts';
import { createKvCache } from '../cache/createKvCache.ts';
import type { KvCache } from '../cache/kvCache.ts';
import type { CacheOptions } from '../cache/layout.ts';
import { createRope, type Rope } from '../cache/rope.ts';
import type { DecodeStep } from '../decode/decodeStep.ts';
import { createDecoder, type Decoder } from '../decode/decoder.ts';
import type { BufferRange } from '../device/buffers.ts';
import {
  attentionDelta,
  attentionDeltaGrid,
  attentionDeltaNumbers,
  attentionKeys,
  attentionKeysGrid,
  attentionNumbers,
  attentionQueries,
  attentionQueriesGrid,
} from '../kernels/train/attention.ts';
import { turnBack, turnBackGrid, turnBackNumbers } from '../kernels/train/rows.ts';
import { cacheOptionsOf } from '../models/decoder/cacheSizes.ts';
import type { AttentionSpec, ModelSpec } from '../models/decoder/spec.ts';
import { inTurn, type Binder, type Dispatch, type Recorded } from './binder.ts';

/** Sequences of a pass, and tokens of each. */
export interface BatchSizes {
  readonly batch: number;
  readonly context: number;
}

/** The rows of a layer's attention: q [M, Hq D], k and v one behind the other [M, 2 Hkv D], o as q, lse [B, Hq, T]. */
export interface AttentionRows {
  readonly q: BufferRange;
  readonly kv: BufferRange;
  readonly o: BufferRange;
  readonly lse: BufferRange;
}

/** Gradients: of o as q, of q, k and v in one row [M, (Hq + 2 Hkv) D], and delta as lse. */
export interface AttentionGradients {
  readonly dO: BufferRange;
  readonly delta: BufferRange;
  readonly dQkv: BufferRange;
}

/** Layers whose attention is of one shape share a decoder. */
interface Shared {
  readonly decoder: Decoder;
  readonly scale: number;
}

/** The cache of a pass: f32, as long as a sequence. */
export function trainingCache({ layers }: ModelSpec, { batch, context }: BatchSizes): CacheOptions {
  return cacheOptionsOf(layers, { batch, capacity: context, kType: 'f32', vType: 'f32' });
}

/** Caches, appends and steps of all layers, made once; K and V of a pass stay in the cache for the backward pass. */
export class TrainingAttention {
  readonly #cache: KvCache;
  readonly #appends: readonly BoundAppend[];
  readonly #steps: readonly DecodeStep[];
  readonly #shared: readonly Shared[];
  readonly #ropes: readonly (Rope | undefined)[];
  readonly #spec: ModelSpec;
  readonly #sizes: BatchSizes;
  readonly #counts: readonly number[];

  private constructor(
    spec: ModelSpec,
    sizes: BatchSizes,
    cache: KvCache,
    ropes: readonly (Rope | undefined)[],
    bound: {
      readonly appends: readonly BoundAppend[];
      readonly steps: readonly DecodeStep[];
      readonly shared: readonly Shared[];
    },
  ) {
    this.#spec = spec;
    this.#sizes = sizes;
    this.#cache = cache;
    this.#ropes = ropes;
    this.#appends = bound.appends;
    this.#steps = bound.steps;
    this.#shared = bound.shared;
    this.#counts = Array.from({ length: sizes.batch }, () => sizes.context);
  }

  /** Allocates and binds every layer. All that was made is destroyed when something fails. */
  static async create(
    binder: Binder,
    spec: ModelSpec,
    sizes: BatchSizes,
    layers: readonly AttentionRows[],
  ): Promise<TrainingAttention> {
    const { device } = binder;
    const owned: { destroy(): void }[] = [];
    const own = <T extends { destroy(): void }>(made: T): T => {
      owned.unshift(made); // what was made last goes first
      return made;
    };
    try {
      const { context } = sizes;
      const cache = own(await createKvCache(device, trainingCache(spec, sizes)));
      cache.leaveValues();
      const made = new Map<string, Promise<Rope>>();
      const ropes = await Promise.all(
        spec.layers.map(async ({ attention }) => {
          const { rope, headDim } = attention;
          if (!rope) return undefined;
          const key = JSON.stringify([rope, headDim]);
          const options = { rotaryDim: headDim, ...rope, headDim, positions: context };
          if (!made.has(key)) made.set(key, createRope(device, options).then(own));
          return made.get(key);
        }),
      );
      const appends = await cache.bindAppends(
        spec.layers.map(({ attention }, layer) =>
          appendArgs(attention, layers[layer]!, ropes[layer], context),
        ),
      );
      const { shared, steps } = await bindSteps(cache, spec, sizes, layers, own);
      return new TrainingAttention(spec, sizes, cache, ropes, { appends, steps, shared });
    } catch (error) {
      for (const each of owned) each.destroy();
      throw error;
    }
  }

  /** Begins a pass: the sequences are empty again. */
  begin(): void {
    this.#cache.truncate(0);
  }

  /** Records a layer: k and v go into the cache, q is turned where it lies, o and lse are written. */
  record(pass: GPUComputePassEncoder, layer: number): void {
    const { decoder, scale } = this.#shared[layer]!;
    this.#appends[layer]!.record(pass, { numTokens: this.#counts });
    this.#steps[layer]!.record(
      pass,
      decoder.plan({ kvLens: this.#counts, qLens: this.#counts, smScale: scale }),
    );
  }

  /** Binds a layer's backward pass: gradients of q, k and v as they were before they were turned. */
  async bindBack(
    binder: Binder,
    layer: number,
    { q, o, lse }: AttentionRows,
    { dO, delta, dQkv }: AttentionGradients,
  ): Promise<Recorded> {
    const { batch, context } = this.#sizes;
    const { numQHeads, numKvHeads, headDim, scale } = this.#spec.layers[layer]!.attention;
    const rope = this.#ropes[layer];
    const groupSize = numQHeads / numKvHeads;
    const { k, v } = this.#cache.layers[layer]!;
    const shape = { headDim, groupSize };
    const { capacity } = this.#cache.layout;
    const sizes = { ...shape, batch, length: context, numKvHeads, capacity, scale };
    const { facts } = binder;
    const numbers = attentionNumbers(sizes);
    const buffers = { q, k, v, lse, delta, d_o: dO, d_qkv: dQkv };
    const dispatches: Dispatch[] = [
      {
        kernel: attentionDelta(),
        grid: attentionDeltaGrid(sizes),
        numbers: attentionDeltaNumbers(sizes),
        buffers: { o, d_o: dO, delta },
      },
      {
        kernel: attentionQueries(shape, facts),
        grid: attentionQueriesGrid(sizes, facts),
        numbers,
        buffers,
      },
      { kernel: attentionKeys(shape, facts), grid: attentionKeysGrid(sizes, facts), numbers, buffers },
    ];
    if (rope) {
      const turned = { rows: batch * context, length: context, heads: numQHeads + numKvHeads };
      const stride = (numQHeads + 2 * numKvHeads) * headDim;
      const { rotaryDim, style } = rope;
      dispatches.push({
        kernel: turnBack({ headDim, rotaryDim, style }),
        grid: turnBackGrid(turned.rows, rotaryDim),
        numbers: turnBackNumbers({ ...turned, stride }),
        buffers: { d_qkv: dQkv, turns: rope.range() },
      });
    }
    return inTurn([await binder.bindAll(dispatches)]);
  }

  destroy(): void {
    for (const { decoder } of this.#shared) decoder.destroy();
    for (const rope of this.#ropes) rope?.destroy();
    this.#cache.destroy();
  }
}

function appendArgs(
  { numQHeads, numKvHeads, headDim }: AttentionSpec,
  { q, kv }: AttentionRows,
  rope: Rope | undefined,
  numTokens: number,
) {
  const layout = { head: headDim, position: 2 * numKvHeads * headDim };
  return {
    k: kv,
    v: kv,
    kRows: { layout },
    vRows: { layout, offset: numKvHeads * headDim },
    numTokens,
    ...(rope && {
      rope,
      q,
      qRows: { layout: { head: headDim, position: numQHeads * headDim } },
      numQHeads,
    }),
  };
}

/** A decoder for each shape of attention, and the steps of all layers. */
async function bindSteps(
  cache: KvCache,
  { layers }: ModelSpec,
  { context }: BatchSizes,
  rows: readonly AttentionRows[],
  own: <T extends { destroy(): void }>(made: T) => T,
): Promise<{ shared: Shared[]; steps: DecodeStep[] }> {
  const decoders = new Map<string, Decoder>();
  const shared: Shared[] = [];
  const steps: DecodeStep[] = [];
  for (const [layer, { attention }] of layers.entries()) {
    const { numQHeads, numKvHeads, headDim, scale } = attention;
    const key = JSON.stringify([numQHeads, numKvHeads, headDim]);
    // By the stride of a sequence the log-sum-exps lie [B, Hq, T].
    const layout = { head: headDim, position: numQHeads * headDim, batch: context * numQHeads * headDim };
    const decoder =
      decoders.get(key) ??
      own(
        await createDecoder(cache.device, {
          cache,
          layer,
          numQHeads,
          qLen: context,
          causal: true,
          q: { layout },
          o: { layout },
        }),
      );
    decoders.set(key, decoder);
    const { q, o, lse } = rows[layer]!;
    steps.push(await decoder.bind({ layer, q, o, lse }));
    shared.push({ decoder, scale });
  }
  return { shared, steps };
}

// encoder.ts: the encoder of a model bound to a context: sources go through it whole, and leave K and V for every layer of the decoder.
import type { BoundAppend } from '../../cache/boundAppend.ts';
import { createKvCache } from '../../cache/createKvCache.ts';
import type { KvCache } from '../../cache/kvCache.ts';
import type { PassVariant } from '../../kernels/model/variants.ts';
import { kvRows } from './activations.ts';
import { AttentionSteps, type StepKind } from './attentionSteps.ts';
import type { Plans } from './attentionStack.ts';
import type { CrossAttention } from './crossAttention.ts';
import { encoderCacheOptions, type EncoderSizes } from './encoderSizes.ts';
import { paddedHeadDim } from './headDims.ts';
import type { BoundProduct } from './matrix.ts';
import { bindTo, Passes, type PassArgs, type PassParts } from './passes.ts';
import type { EncoderSpec } from './spec.ts';

/** Attention of an encoder's layers, which have one cache in turns. */
class EncoderAttention {
  readonly cache: KvCache;
  readonly #append: BoundAppend;
  readonly #steps: AttentionSteps;

  private constructor(cache: KvCache, append: BoundAppend, steps: AttentionSteps) {
    this.cache = cache;
    this.#append = append;
    this.#steps = steps;
  }

  static async create(
    { device, weights, activations }: PassParts,
    encoder: EncoderSpec,
    sizes: EncoderSizes,
  ): Promise<EncoderAttention> {
    const cache = await createKvCache(device, encoderCacheOptions(encoder, sizes));
    try {
      const rows = kvRows(encoder.layers[0]!.attention, activations);
      const append = await cache.bindAppend({ ...rows, numTokens: sizes.sourceCapacity });
      const layers = encoder.layers.map(({ attention }, layer) => ({
        attention,
        layer: 0,
        relativeBias: weights.encoder[layer]!.relativeBias,
      }));
      const steps = await AttentionSteps.create(device, cache, layers, activations, {
        causal: false,
        positions: { chunk: sizes.sourceCapacity },
        qStride: ({ numQHeads, headDim }) => numQHeads * paddedHeadDim(headDim),
      });
      return new EncoderAttention(cache, append, steps);
    } catch (error) {
      cache.destroy();
      throw error;
    }
  }

  plan(counts: readonly number[]): Plans {
    return { own: this.#steps.plan('chunk', counts, counts) };
  }

  record(
    pass: GPUComputePassEncoder,
    layer: number,
    kind: StepKind,
    { own }: Plans,
    counts: readonly number[],
  ): void {
    for (let b = 0; b < counts.length; b++) this.cache.reset(b);
    this.#append.record(pass, { numTokens: counts });
    this.#steps.record(pass, layer, kind, own);
  }

  destroy(): void {
    this.#steps.destroy();
    this.cache.destroy();
  }
}

/** An encoder, and the projections that the decoder's layers take of what comes out of it. */
export class BoundEncoder {
  readonly passes: Passes;
  readonly #attention: EncoderAttention;
  readonly #kv: readonly BoundProduct[];
  readonly #cross: CrossAttention;

  private constructor(
    attention: EncoderAttention,
    passes: Passes,
    kv: readonly BoundProduct[],
    cross: CrossAttention,
  ) {
    this.passes = passes;
    this.#attention = attention;
    this.#kv = kv;
    this.#cross = cross;
  }

  /** Allocates and binds. */
  static async create(
    parts: PassParts,
    encoder: EncoderSpec,
    cross: CrossAttention,
    sizes: EncoderSizes,
    variant: PassVariant,
  ): Promise<BoundEncoder> {
    const { spec, weights, activations } = parts;
    const attention = await EncoderAttention.create(parts, encoder, sizes);
    try {
      const own = {
        ...parts,
        spec: { ...spec, layers: encoder.layers },
        weights: { ...weights, layers: weights.encoder },
      };
      const { x, kv, strides } = activations;
      const to = { x, inputStride: strides.x, y: kv, stride: strides.kv, writes: 'set' } as const;
      const [passes, products] = await Promise.all([
        Passes.create(own, 'chunk', activations.promptIds, variant),
        Promise.all(weights.layers.map((layer) => bindTo(parts, layer.cross!.kv, variant, to))),
      ]);
      return new BoundEncoder(attention, passes, products, cross);
    } catch (error) {
      attention.destroy();
      throw error;
    }
  }

  /** K and V of the layer that was computed last. */
  get cache(): KvCache {
    return this.#attention.cache;
  }

  /** A pass over whole sources: so many tokens of each sequence, [B], whose sources were forgotten. */
  argsOf(counts: readonly number[], rows: number, stepOffset: number): PassArgs {
    const attention = this.#attention;
    return { attention, plans: attention.plan(counts), counts, rows, stepOffset };
  }

  /** Records a pass over sources whose tokens are in `activations.promptIds`. */
  record(pass: GPUComputePassEncoder, args: PassArgs): void {
    this.passes.record(pass, args);
    this.recordKv(pass, args);
  }

  /** Records the end of a pass: K and V of what came out of the layers, for the decoder's. */
  recordKv(pass: GPUComputePassEncoder, { counts, rows, stepOffset }: PassArgs): void {
    for (const [layer, product] of this.#kv.entries()) {
      product.record(pass, rows, stepOffset);
      this.#cross.recordAppend(pass, layer, counts);
    }
  }

  destroy(): void {
    this.#attention.destroy();
  }
}

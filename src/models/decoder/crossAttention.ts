// crossAttention.ts: a decoder's attention to its sources: K and V of every layer, computed once, and steps over them.
import type { BoundAppend } from '../../cache/boundAppend.ts';
import { createKvCache } from '../../cache/createKvCache.ts';
import type { KvCache } from '../../cache/kvCache.ts';
import type { DecodePlan } from '../../decode/plan.ts';
import type { GqaDevice } from '../../device/gqaDevice.ts';
import { kvRows, type Activations } from './activations.ts';
import { AttentionSteps, type StepKind } from './attentionSteps.ts';
import { cacheOptionsOf, type CacheSizes } from './cacheSizes.ts';
import { crossLayers, crossQueryStride } from './crossLayers.ts';
import type { ModelSpec } from './spec.ts';

/** Cross-attention of all layers. */
export class CrossAttention {
  readonly cache: KvCache;
  readonly #appends: readonly BoundAppend[];
  readonly #steps: AttentionSteps;
  /** The plans made last of each kind, for as many positions: sources do not grow from step to step. */
  readonly #plans: Partial<
    Record<StepKind, { readonly key: string; readonly plans: readonly DecodePlan[] }>
  > = {};

  private constructor(cache: KvCache, appends: readonly BoundAppend[], steps: AttentionSteps) {
    this.cache = cache;
    this.#appends = appends;
    this.#steps = steps;
  }

  /** Allocates the cache and binds every layer. */
  static async create(
    device: GqaDevice,
    spec: ModelSpec,
    activations: Activations,
    sizes: CacheSizes,
  ): Promise<CrossAttention> {
    const cache = await createKvCache(device, cacheOptionsOf(crossLayers(spec), sizes));
    try {
      const appends: BoundAppend[] = [];
      for (const [layer, { attention }] of crossLayers(spec).entries()) {
        const rows = kvRows(attention, activations);
        appends.push(await cache.bindAppend({ layer, ...rows, numTokens: sizes.capacity }));
      }
      const layers = crossLayers(spec).map(({ attention }, layer) => ({ attention, layer }));
      const steps = await AttentionSteps.create(device, cache, layers, activations, {
        causal: false,
        positions: { one: 1, chunk: activations.rows },
        qStride: crossQueryStride,
      });
      return new CrossAttention(cache, appends, steps);
    } catch (error) {
      cache.destroy();
      throw error;
    }
  }

  /** Tokens of each source, [B]. */
  get lengths(): number[] {
    return this.cache.kvLens();
  }

  /** Records the append of a layer's K and V of whole sources: so many rows of each sequence. */
  recordAppend(pass: GPUComputePassEncoder, layer: number, counts: readonly number[]): void {
    this.#appends[layer]!.record(pass, { numTokens: counts });
  }

  plan(kind: StepKind, qLens: readonly number[]): readonly DecodePlan[] {
    const { lengths } = this;
    const key = `${lengths.join()} ${qLens.join()}`;
    const known = this.#plans[kind];
    if (known?.key === key) return known.plans;
    const plans = this.#steps.plan(kind, lengths, qLens);
    this.#plans[kind] = { key, plans };
    return plans;
  }

  record(pass: GPUComputePassEncoder, layer: number, kind: StepKind, plans: readonly DecodePlan[]): void {
    this.#steps.record(pass, layer, kind, plans);
  }

  destroy(): void {
    this.#steps.destroy();
    this.cache.destroy();
  }
}

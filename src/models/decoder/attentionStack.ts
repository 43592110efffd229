// attentionStack.ts: the caches of a model's layers, and their appends and steps of attention, bound to the activations.
import type { BoundAppend } from '../../cache/boundAppend.ts';
import { createKvCache } from '../../cache/createKvCache.ts';
import type { KvCache } from '../../cache/kvCache.ts';
import { createRope, type Rope } from '../../cache/rope.ts';
import type { DecodePlan } from '../../decode/plan.ts';
import type { GqaDevice } from '../../device/gqaDevice.ts';
import { kvRows, type Activations } from './activations.ts';
import { AttentionSteps, type StepKind } from './attentionSteps.ts';
import { cacheOptionsOf, type CacheSizes } from './cacheSizes.ts';
import { CrossAttention } from './crossAttention.ts';
import { paddedHeadDim } from './headDims.ts';
import type { LoadedLayer } from './loadedWeights.ts';
import type { AttentionSpec, ModelSpec } from './spec.ts';

/** Plans of a pass, of each kind of layers. */
export interface Plans {
  readonly own: readonly DecodePlan[];
  /** Of cross-attention, where there is any. */
  readonly cross?: readonly DecodePlan[];
}

/** Attention of all layers. */
export class AttentionStack {
  readonly cache: KvCache;
  readonly cross: CrossAttention | undefined;
  readonly #appends: readonly BoundAppend[];
  readonly #steps: AttentionSteps;
  readonly #owned: readonly { destroy(): void }[];

  private constructor(
    cache: KvCache,
    cross: CrossAttention | undefined,
    appends: readonly BoundAppend[],
    steps: AttentionSteps,
    owned: readonly { destroy(): void }[],
  ) {
    this.cache = cache;
    this.cross = cross;
    this.#appends = appends;
    this.#steps = steps;
    this.#owned = owned;
  }

  /** Allocates caches and binds every layer. All that was made is destroyed when something fails. */
  static async create(
    device: GqaDevice,
    spec: ModelSpec,
    weights: readonly LoadedLayer[],
    activations: Activations,
    sizes: CacheSizes,
    sourceCapacity: number,
  ): Promise<AttentionStack> {
    const owned: { destroy(): void }[] = [];
    const own = <T extends { destroy(): void }>(made: T): T => {
      owned.unshift(made); // what was made last goes first
      return made;
    };
    try {
      const cache = own(await createKvCache(device, cacheOptionsOf(spec.layers, sizes)));
      const ropes = new Map<string, Rope>();
      const appends: BoundAppend[] = [];
      for (const [layer, { attention }] of spec.layers.entries()) {
        const key = ropeKey(attention);
        if (key !== undefined && !ropes.has(key)) {
          ropes.set(key, own(await createRope(device, ropeOptions(attention, sizes.capacity))));
        }
        const rope = key === undefined ? undefined : ropes.get(key);
        appends.push(
          await cache.bindAppend(
            appendArgs(layer, attention, rope, weights[layer]!, activations, sizes.capacity),
          ),
        );
      }
      const layers = spec.layers.map(({ attention }, layer) => ({
        attention,
        layer,
        relativeBias: weights[layer]!.relativeBias,
      }));
      const steps = own(
        await AttentionSteps.create(device, cache, layers, activations, {
          causal: true,
          positions: { one: 1, chunk: Math.min(activations.rows, sizes.capacity) },
          qStride: ({ numQHeads, headDim }) => numQHeads * paddedHeadDim(headDim),
        }),
      );
      const cross =
        spec.encoder &&
        own(await CrossAttention.create(device, spec, activations, { ...sizes, capacity: sourceCapacity }));
      return new AttentionStack(cache, cross, appends, steps, owned);
    } catch (error) {
      for (const each of owned) each.destroy();
      throw error;
    }
  }

  /** Plans a pass: so many new tokens of each sequence, [B], over what it will hold with them. */
  plan(kind: StepKind, kvLens: readonly number[], qLens: readonly number[]): Plans {
    const own = this.#steps.plan(kind, kvLens, qLens);
    return this.cross ? { own, cross: this.cross.plan(kind, qLens) } : { own };
  }

  /** Records a layer's append and attention. */
  record(
    pass: GPUComputePassEncoder,
    layer: number,
    kind: StepKind,
    { own }: Plans,
    counts: readonly number[],
  ): void {
    this.#appends[layer]!.record(pass, { numTokens: counts });
    this.#steps.record(pass, layer, kind, own);
  }

  /** Records a layer's cross-attention. */
  recordCross(pass: GPUComputePassEncoder, layer: number, kind: StepKind, { cross }: Plans): void {
    this.cross!.record(pass, layer, kind, cross!);
  }

  destroy(): void {
    for (const each of this.#owned) each.destroy();
  }
}

function ropeKey({ rope, headDim }: AttentionSpec): string | undefined {
  return rope && JSON.stringify([rope, headDim]);
}

function ropeOptions({ rope, headDim }: AttentionSpec, positions: number) {
  return { rotaryDim: headDim, ...rope, headDim: paddedHeadDim(headDim), positions };
}

function appendArgs(
  layer: number,
  attention: AttentionSpec,
  rope: Rope | undefined,
  { qkNorm }: LoadedLayer,
  activations: Activations,
  capacity: number,
) {
  const { q, rows } = activations;
  const head = paddedHeadDim(attention.headDim);
  const isTurned = rope !== undefined || qkNorm !== undefined;
  return {
    layer,
    ...kvRows(attention, activations),
    // Of one sequence; a pass has several.
    numTokens: Math.min(rows, capacity),
    ...(rope && { rope }),
    ...(qkNorm && { qkNorm }),
    ...(isTurned && {
      q,
      qRows: { layout: { head, position: attention.numQHeads * head } },
      numQHeads: attention.numQHeads,
    }),
  };
}

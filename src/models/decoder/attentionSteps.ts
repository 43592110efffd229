// attentionSteps.ts: steps of attention over a cache, bound to the activations: decoders for all layers that are alike.
import type { KvCache } from '../../cache/kvCache.ts';
import { createDecoder, type Decoder } from '../../decode/decoder.ts';
import type { DecodeStep } from '../../decode/decodeStep.ts';
import type { DecodePlan } from '../../decode/plan.ts';
import type { GqaDevice } from '../../device/gqaDevice.ts';
import type { Activations } from './activations.ts';
import { paddedHeadDim } from './headDims.ts';
import type { LoadedRelativeBias } from './loadedWeights.ts';
import type { AttentionSpec } from './spec.ts';

/** Steps of a token for each sequence, or of chunks. */
export type StepKind = 'one' | 'chunk';

/** A layer's attention, and where its K and V are. */
export interface StepLayer {
  readonly attention: AttentionSpec;
  /** Of the cache. */
  readonly layer: number;
  readonly relativeBias?: LoadedRelativeBias | undefined;
}

/** How the layers' steps are made. */
export interface StepOptions {
  readonly causal: boolean;
  /** Positions of a sequence in a step of each kind, at most. */
  readonly positions: Readonly<Partial<Record<StepKind, number>>>;
  /** Elements from a position's queries to the next one's, of a layer. */
  readonly qStride: (attention: AttentionSpec) => number;
}

/** Layers whose attention is computed alike. */
interface Group {
  readonly smScale: number;
  readonly decoders: Readonly<Partial<Record<StepKind, Decoder>>>;
}

/** Attention of layers, without their appends. */
export class AttentionSteps {
  readonly #groups: readonly Group[];
  readonly #groupOf: readonly number[];
  readonly #steps: Readonly<Record<StepKind, readonly DecodeStep[]>>;

  private constructor(
    groups: readonly Group[],
    groupOf: readonly number[],
    steps: Readonly<Record<StepKind, readonly DecodeStep[]>>,
  ) {
    this.#groups = groups;
    this.#groupOf = groupOf;
    this.#steps = steps;
  }

  /** Binds every layer. All that was made is destroyed when something fails. */
  static async create(
    device: GqaDevice,
    cache: KvCache,
    layers: readonly StepLayer[],
    activations: Activations,
    options: StepOptions,
  ): Promise<AttentionSteps> {
    const groups: Group[] = [];
    const groupOf: number[] = [];
    const steps = { one: [] as DecodeStep[], chunk: [] as DecodeStep[] };
    try {
      for (const places of alikeIn(layers)) {
        const decoders: Partial<Record<StepKind, Decoder>> = {};
        const first = layers[places[0]!]!;
        groups.push({ smScale: first.attention.scale, decoders });
        const args = places.map((place) => {
          const { layer, relativeBias } = layers[place]!;
          const { q, o } = activations;
          return { layer, q, o, ...(relativeBias && { relativeBias: relativeBias.table }) };
        });
        for (const [kind, qLen] of Object.entries(options.positions) as [StepKind, number][]) {
          const decoder = await createDecoder(device, {
            ...decoderOptions(cache, first, activations, options),
            qLen,
          });
          decoders[kind] = decoder;
          const bound = await decoder.bindLayers(args);
          for (const [i, place] of places.entries()) steps[kind][place] = bound[i]!;
        }
        for (const place of places) groupOf[place] = groups.length - 1;
      }
      return new AttentionSteps(groups, groupOf, steps);
    } catch (error) {
      destroyAll(groups);
      throw error;
    }
  }

  /** Plans a step for each kind of layers: so many positions of each sequence, [B], over so many keys. */
  plan(kind: StepKind, kvLens: readonly number[], qLens: readonly number[]): DecodePlan[] {
    return this.#groups.map(({ decoders, smScale }) => decoders[kind]!.plan({ kvLens, qLens, smScale }));
  }

  /** Records a layer's attention. */
  record(pass: GPUComputePassEncoder, layer: number, kind: StepKind, plans: readonly DecodePlan[]): void {
    this.#steps[kind][layer]!.record(pass, plans[this.#groupOf[layer]!]!);
  }

  destroy(): void {
    destroyAll(this.#groups);
  }
}

function destroyAll(groups: readonly Group[]): void {
  for (const { decoders } of groups) {
    decoders.chunk?.destroy();
    decoders.one?.destroy();
  }
}

function decoderOptions(
  cache: KvCache,
  { attention, layer, relativeBias }: StepLayer,
  { strides }: Activations,
  { causal, qStride }: StepOptions,
) {
  const { numQHeads, headDim, window, softcap } = attention;
  const head = paddedHeadDim(headDim);
  return {
    cache,
    layer,
    numQHeads,
    causal,
    features: {
      ...(window !== undefined && { window }),
      ...(softcap !== undefined && { softcap }),
      ...(relativeBias && { relativeBias: relativeBias.farthest }),
    },
    q: { layout: { head, position: qStride(attention) } },
    o: { layout: { head, position: strides.o } },
  };
}

/** Places of layers that are alike, group by group. */
function alikeIn(layers: readonly StepLayer[]): number[][] {
  const groups = new Map<string, number[]>();
  for (const [place, { attention, relativeBias }] of layers.entries()) {
    const { numQHeads, numKvHeads, headDim, window, softcap, scale } = attention;
    const key = JSON.stringify([
      numQHeads,
      numKvHeads,
      headDim,
      window,
      softcap,
      scale,
      relativeBias?.farthest,
    ]);
    groups.set(key, [...(groups.get(key) ?? []), place]);
  }
  return [...groups.values()];
}

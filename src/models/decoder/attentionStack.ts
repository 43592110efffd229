// attentionStack.ts: the caches of a model's layers, and their appends and steps of attention, bound to the activations.
import type { BoundAppend } from '../../cache/boundAppend.ts';
import { createKvCache } from '../../cache/createKvCache.ts';
import type { KvCache } from '../../cache/kvCache.ts';
import type { CacheOptions } from '../../cache/layout.ts';
import { createRope, type Rope } from '../../cache/rope.ts';
import { createDecoder, type Decoder } from '../../decode/decoder.ts';
import type { DecodeStep } from '../../decode/decodeStep.ts';
import type { DecodePlan } from '../../decode/plan.ts';
import type { GqaDevice } from '../../device/gqaDevice.ts';
import type { KvType } from '../../numbers/elements.ts';
import type { Activations } from './activations.ts';
import { paddedHeadDim } from './headDims.ts';
import type { LoadedLayer } from './loadedWeights.ts';
import type { AttentionSpec, ModelSpec } from './spec.ts';

/** Sizes of caches. */
export interface CacheSizes {
  readonly batch: number;
  readonly capacity: number;
  readonly kType: KvType;
  readonly vType: KvType;
}

/** The cache that a model's layers take, heads padded. */
export function cacheOptionsOf({ layers }: ModelSpec, sizes: CacheSizes): CacheOptions {
  const shapes = layers.map(({ attention }) => ({
    numKvHeads: attention.numKvHeads,
    headDim: paddedHeadDim(attention.headDim),
  }));
  return { ...sizes, ...shapes[0]!, layers: shapes };
}

/** Layers whose attention is computed alike. */
interface Alike {
  readonly attention: AttentionSpec;
  readonly layers: number[];
}

/** Decoders of layers that are alike: of one position, and of chunks. */
interface Pair {
  readonly smScale: number;
  readonly one: Decoder;
  readonly chunk: Decoder;
}

/** Plans of a pass, of each kind of layers. */
export type Plans = readonly DecodePlan[];

/** Which of a pair's decoders. */
export type StepKind = 'one' | 'chunk';

/** Attention of all layers. */
export class AttentionStack {
  readonly cache: KvCache;
  readonly #pairs: readonly Pair[];
  readonly #pairOf: readonly number[];
  readonly #appends: readonly BoundAppend[];
  readonly #steps: Readonly<Record<StepKind, readonly DecodeStep[]>>;
  readonly #owned: readonly { destroy(): void }[];

  private constructor(
    cache: KvCache,
    pairs: readonly Pair[],
    pairOf: readonly number[],
    appends: readonly BoundAppend[],
    steps: Readonly<Record<StepKind, readonly DecodeStep[]>>,
    owned: readonly { destroy(): void }[],
  ) {
    this.cache = cache;
    this.#pairs = pairs;
    this.#pairOf = pairOf;
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
  ): Promise<AttentionStack> {
    const owned: { destroy(): void }[] = [];
    const own = <T extends { destroy(): void }>(made: T): T => {
      owned.unshift(made); // what was made last goes first
      return made;
    };
    try {
      const cache = own(await createKvCache(device, cacheOptionsOf(spec, sizes)));
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
      const alike = groupsOf(spec);
      const pairs: Pair[] = [];
      const pairOf: number[] = [];
      const steps = { one: [] as DecodeStep[], chunk: [] as DecodeStep[] };
      for (const { attention, layers } of alike) {
        const options = decoderOptions(cache, layers[0]!, attention, activations);
        const one = own(await createDecoder(device, { ...options, qLen: 1 }));
        const chunk = own(
          await createDecoder(device, { ...options, qLen: mostNew(activations.rows, sizes.capacity) }),
        );
        const args = layers.map((layer) => ({ layer, q: activations.q, o: activations.o }));
        const [ofOne, ofChunk] = await Promise.all([one.bindLayers(args), chunk.bindLayers(args)]);
        for (const [i, layer] of layers.entries()) {
          pairOf[layer] = pairs.length;
          steps.one[layer] = ofOne[i]!;
          steps.chunk[layer] = ofChunk[i]!;
        }
        pairs.push({ smScale: attention.scale, one, chunk });
      }
      return new AttentionStack(cache, pairs, pairOf, appends, steps, owned);
    } catch (error) {
      for (const each of owned) each.destroy();
      throw error;
    }
  }

  /** Plans a pass: so many new tokens of each sequence, [B], over what it will hold with them. */
  plan(kind: StepKind, kvLens: readonly number[], qLens: readonly number[]): Plans {
    return this.#pairs.map((pair) => pair[kind].plan({ kvLens, qLens, smScale: pair.smScale }));
  }

  /** Records a layer's append and attention. */
  record(
    pass: GPUComputePassEncoder,
    layer: number,
    kind: StepKind,
    plans: Plans,
    counts: readonly number[],
  ): void {
    this.#appends[layer]!.record(pass, { numTokens: counts });
    this.#steps[kind][layer]!.record(pass, plans[this.#pairOf[layer]!]!);
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

/** New tokens of one sequence at most in a pass, which has so many rows for all. */
function mostNew(rows: number, capacity: number): number {
  return Math.min(rows, capacity);
}

function appendArgs(
  layer: number,
  attention: AttentionSpec,
  rope: Rope | undefined,
  { qkNorm }: LoadedLayer,
  { q, kv, rows, strides }: Activations,
  capacity: number,
) {
  const head = paddedHeadDim(attention.headDim);
  const ofKv = { head, position: strides.kv };
  const isTurned = rope !== undefined || qkNorm !== undefined;
  return {
    layer,
    k: kv,
    v: kv,
    kRows: { layout: ofKv },
    vRows: { layout: ofKv, offset: attention.numKvHeads * head },
    numTokens: mostNew(rows, capacity),
    ...(rope && { rope }),
    ...(qkNorm && { qkNorm }),
    ...(isTurned && {
      q,
      qRows: { layout: { head, position: attention.numQHeads * head } },
      numQHeads: attention.numQHeads,
    }),
  };
}

function decoderOptions(
  cache: KvCache,
  layer: number,
  { numQHeads, headDim, window, softcap }: AttentionSpec,
  { strides }: Activations,
) {
  const head = paddedHeadDim(headDim);
  return {
    cache,
    layer,
    numQHeads,
    features: { ...(window !== undefined && { window }), ...(softcap !== undefined && { softcap }) },
    q: { layout: { head, position: numQHeads * head } },
    o: { layout: { head, position: strides.o } },
  };
}

function groupsOf({ layers }: ModelSpec): Alike[] {
  const groups = new Map<string, Alike>();
  for (const [layer, { attention }] of layers.entries()) {
    const { numQHeads, numKvHeads, headDim, window, softcap, scale } = attention;
    const key = JSON.stringify([numQHeads, numKvHeads, headDim, window, softcap, scale]);
    const group = groups.get(key) ?? { attention, layers: [] };
    group.layers.push(layer);
    groups.set(key, group);
  }
  return [...groups.values()];
}

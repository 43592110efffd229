// layerData.ts: the heads of one attention module as numbers: their rows, and their second moments.
import type { AttentionModule, Part } from '../heads/attentionModule.ts';
import { fail, quote } from '../format/checkpointError.ts';
import { headRows } from './headMix.ts';
import { slotsOf, type HeadCounts, type Role } from '../../models/families/headSlots.ts';
import { addTo, gram, rowProducts } from './linear/dense.ts';
import type { QkNorm } from './methods/keyBasis.ts';
import type { Moments } from './methods/moments.ts';

/** Reads a tensor whole, to the start of memory of its own. */
export type ReadTensor = (name: string) => Promise<Uint8Array>;

/** Inputs of an attention module, tokens as rows: what queries are made from, and what keys and values are. */
export interface Inputs {
  readonly q: Tokens;
  readonly kv: Tokens;
}

/** [sequences * length, hidden] as f32; each `length` rows are one sequence. */
export interface Tokens {
  readonly data: Float32Array;
  readonly length: number;
}

/** A projection of one role: its weight's rows for a head, with the bias as another column where there is one. */
export class Projection {
  readonly #role: Role;
  readonly #weight: Part;
  readonly #bytes: Uint8Array;
  readonly #bias: Part | undefined;
  readonly #biasBytes: Uint8Array | undefined;
  readonly #places: ReadonlyMap<Part, ReadonlyMap<number, number>>;

  private constructor(
    role: Role,
    weight: readonly [Part, Uint8Array],
    bias: readonly [Part, Uint8Array] | undefined,
    counts: HeadCounts,
  ) {
    this.#role = role;
    [this.#weight, this.#bytes] = weight;
    [this.#bias, this.#biasBytes] = bias ?? [undefined, undefined];
    const parts = bias ? [weight[0], bias[0]] : [weight[0]];
    this.#places = new Map(parts.map((part) => [part, this.#placesIn(part, counts)]));
  }

  static async read(
    module: AttentionModule,
    role: Role,
    counts: HeadCounts,
    read: ReadTensor,
  ): Promise<Projection> {
    const holds = (part: Part) => slotsOf(part.order, counts).some((slot) => slot.role === role);
    const weight = module.parts.find((part) => part.kind === 'weight' && holds(part))!;
    const bias = module.parts.find((part) => part.kind === 'bias' && holds(part));
    const loaded = async (part: Part): Promise<[Part, Uint8Array]> => [part, await read(part.tensor.name)];
    return new Projection(role, await loaded(weight), bias && (await loaded(bias)), counts);
  }

  #placesIn(part: Part, counts: HeadCounts): ReadonlyMap<number, number> {
    const slots = slotsOf(part.order, counts).map((slot, place) => ({ ...slot, place }));
    return new Map(slots.flatMap((s) => (s.role === this.#role ? [[s.head, s.place] as const] : [])));
  }

  /** Rows of a head, [head_dim, width]. */
  rows(head: number): Float32Array {
    return headRows(this.#weight, this.#bytes, this.#places.get(this.#weight)!.get(head)!);
  }

  /** Bias of a head, [head_dim]; undefined where there is none. */
  bias(head: number): Float32Array | undefined {
    if (!this.#bias) return undefined;
    return headRows(this.#bias, this.#biasBytes!, this.#places.get(this.#bias)!.get(head)!);
  }

  /** The same moments, once they are known to be finite: decompositions of others may never end. */
  finite(moments: Float64Array): Float64Array {
    if (moments.every((x) => Number.isFinite(x))) return moments;
    return fail(
      `tensor ${quote(this.#weight.tensor.name)}: expected finite numbers, which turning and judging heads needs`,
    );
  }

  /**
   * What a head is over the tokens, [head_dim, tokens]. Without tokens: its rows, and its bias as another column, whose
   * products are the moments over white inputs.
   */
  samples(head: number, tokens: Tokens | undefined, headDim: number): Float32Array {
    const rows = this.rows(head);
    const bias = this.bias(head);
    const width = rows.length / headDim;
    if (!tokens) return bias ? withColumn(rows, bias, width) : rows;
    const products = rowProducts(rows, tokens.data, width);
    const count = products.length / headDim;
    return Float32Array.from(products, (x, at) => x + (bias ? bias[Math.floor(at / count)]! : 0));
  }
}

function withColumn(rows: Float32Array, column: Float32Array, width: number): Float32Array {
  const out = new Float32Array(rows.length + column.length);
  column.forEach((x, r) => {
    out.set(rows.subarray(r * width, (r + 1) * width), r * (width + 1));
    out[r * (width + 1) + width] = x;
  });
  return out;
}

/** A module and how to read it. */
export interface LayerSource {
  readonly module: AttentionModule;
  readonly counts: HeadCounts;
  readonly headDim: number;
  /** For each query head the KV head it reads. */
  readonly kvHeadOf: readonly number[];
  readonly read: ReadTensor;
  /** Calibration tokens; without them moments are over white inputs. */
  readonly inputs: Inputs | undefined;
}

/** The moments of groups of KV heads. One projection is in memory at a time. */
export async function readMoments(
  source: LayerSource,
  groups: readonly (readonly number[])[],
): Promise<Moments[]> {
  const { module, counts, headDim, read, inputs } = source;
  const projection = (role: Role) => Projection.read(module, role, counts, read);
  const ofGroups = async (role: 'k' | 'v') => {
    const heads = await projection(role);
    return groups.map((members) => {
      const samples = members.map((head) => heads.samples(head, inputs?.kv, headDim));
      return heads.finite(gram(concat(samples), samples[0]!.length / headDim));
    });
  };
  const k = await ofGroups('k');
  const v = await ofGroups('v');
  const queries = await projection('q');
  const q = sumByKvHead(source, (h) => queries.samples(h, inputs?.q, headDim)).map((a) => queries.finite(a));
  const output = await projection('o');
  const o = sumByKvHead(source, (h) => output.rows(h)).map((a) => output.finite(a));
  return groups.map((heads, i) => ({
    headDim,
    heads,
    k: k[i]!,
    v: v[i]!,
    q: heads.map((s) => q[s]!),
    o: heads.map((s) => o[s]!),
  }));
}

/** Gram matrices [D, D] of query heads' rows, summed over the query heads of each KV head. */
function sumByKvHead(
  { counts, headDim, kvHeadOf }: LayerSource,
  samples: (h: number) => Float32Array,
): Float64Array[] {
  const sums = Array.from({ length: counts.numKvHeads }, () => new Float64Array(headDim * headDim));
  kvHeadOf.forEach((s, h) => {
    const rows = samples(h);
    addTo(sums[s]!, gram(rows, rows.length / headDim));
  });
  return sums;
}

function concat(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** How q and k of a module are normalised. */
export async function readQkNorm(
  { norms }: AttentionModule,
  plain: boolean,
  readFloats: (name: string) => Promise<ArrayLike<number>>,
): Promise<QkNorm> {
  if (!norms) return plain ? 'plain' : 'none';
  return { q: await readFloats(norms.q), k: await readFloats(norms.k) };
}

// modelParts.ts: the parts of a whole model in plain loops over the tensors of its checkpoint.
import { paddedHeadDim } from '../decoder/headDims.ts';
import type {
  AttentionSpec,
  CrossSpec,
  LayerSpec,
  MlpSpec,
  ModelSpec,
  NormSpec,
  ProjectionSpec,
} from '../decoder/spec.ts';
import { t5Bucket, t5BucketBothWays } from '../families/t5.ts';
import { ACTIVATIONS } from './activations.ts';
import { FLOAT64, type Arithmetic } from './arithmetic.ts';
import { attend, capped, normalised, product, turn, type ScoreBias } from './steps.ts';
import { placesOfK, placesOfV, storedKv } from './storedKv.ts';
import type { KvPlace, TwinOptions, TwinSource } from './twinOptions.ts';
import { WeightReader } from './weights.ts';

/** The parts of a model, encoder and decoder alike. */
export class ModelParts {
  readonly arithmetic: Arithmetic;
  readonly #spec: ModelSpec;
  readonly #weights: WeightReader;
  readonly #capacity: number;
  readonly #kept: NonNullable<TwinOptions['kept']>;

  constructor(source: TwinSource, options: TwinOptions & Required<Pick<TwinOptions, 'capacity'>>) {
    const { weightType, kType = 'f32', vType = kType, arithmetic = FLOAT64, kept } = options;
    this.arithmetic = arithmetic;
    this.#spec = source.spec;
    this.#capacity = options.capacity;
    this.#weights = new WeightReader(source, weightType);
    this.#kept =
      kept ??
      ((place, { k, v }) => {
        if (place.of === 'encoder') return { k, v };
        const attention = attentionAt(source.spec, place);
        return {
          k: storedKv(kType, k, placesOfK(attention)),
          v: storedKv(vType, v, placesOfV(attention)),
        };
      });
  }

  get hiddenSize(): number {
    return this.#spec.hiddenSize;
  }

  async embedding(tokens: readonly number[]): Promise<Float64Array> {
    const { embedding, hiddenSize } = this.#spec;
    const { round } = this.arithmetic;
    const table = await this.#weights.matrix(tableOf(this.#spec));
    const { positions } = embedding;
    const learned = positions && (await this.#weights.vector(positions.tensor));
    const x = new Float64Array(tokens.length * hiddenSize);
    for (const [t, token] of tokens.entries()) {
      for (let i = 0; i < hiddenSize; i++) {
        const scaled = round(table.values[token * hiddenSize + i]! * embedding.scale);
        x[t * hiddenSize + i] = round(scaled + (learned?.[t * hiddenSize + i] ?? 0));
      }
    }
    return embedding.norm ? this.norm(embedding.norm, x) : x;
  }

  async norm(spec: NormSpec, rows: Float64Array): Promise<Float64Array> {
    const weight = spec.weight === undefined ? undefined : await this.#weights.vector(spec.weight);
    const bias = spec.bias === undefined ? undefined : await this.#weights.vector(spec.bias);
    return normalised(rows, this.#spec.hiddenSize, spec, { weight, bias }, this.arithmetic);
  }

  /** What a layer's attention to its own stack's tokens adds. */
  async attention(place: KvPlace, each: LayerSpec, x: Float64Array): Promise<Float64Array> {
    const { attention, attentionNorm, afterAttention } = each;
    const normed = await this.norm(attentionNorm, x);
    const added = await this.#attended(place, attention, normed, normed);
    return afterAttention ? this.norm(afterAttention, added) : added;
  }

  /** What a layer's attention to the source adds; `encoded`: its rows behind the encoder's final norm. */
  async cross(
    layer: number,
    { norm, attention }: CrossSpec,
    x: Float64Array,
    encoded: Float64Array,
  ): Promise<Float64Array> {
    return this.#attended({ of: 'cross', layer }, attention, await this.norm(norm, x), encoded);
  }

  /** Queries of some rows, keys and values of the same or of others. */
  async #attended(
    place: KvPlace,
    attention: AttentionSpec,
    rows: Float64Array,
    others: Float64Array,
  ): Promise<Float64Array> {
    const { numQHeads, numKvHeads, headDim } = attention;
    const [q, k] = [await this.#project(attention.q, rows), await this.#project(attention.k, others)];
    const v = await this.#project(attention.v, others);
    const turned = async (heads: Float64Array, count: number, of: 'q' | 'k') => {
      const normed = await this.#qkNorm(attention, heads, of);
      turn(normed, count, attention, this.arithmetic, this.#capacity);
      return normed;
    };
    const queries = await turned(q, numQHeads, 'q');
    const held = this.#kept(place, { k: await turned(k, numKvHeads, 'k'), v });
    const sees = { causal: place.of === 'decoder', bias: await this.#biasOf(attention) };
    const o = attend(queries, held.k, held.v, attention, sees, this.arithmetic);
    // A device pads heads, and counts the inputs that share a scale with what it pads them by.
    const padded = paddedHeadDim(headDim);
    const placeOf = (input: number) => Math.floor(input / headDim) * padded + (input % headDim);
    return this.#project(attention.o, o, placeOf);
  }

  /** What is added to a score by the distance from the query to the key. */
  async #biasOf({ relativeBias, numQHeads }: AttentionSpec): Promise<ScoreBias | undefined> {
    if (!relativeBias) return undefined;
    const { tensor, buckets, maxDistance, bothWays } = relativeBias;
    const values = await this.#weights.vector(tensor);
    return (head, way) => {
      const bucket = bothWays
        ? t5BucketBothWays(way, buckets, maxDistance)
        : t5Bucket(Math.max(0, -way), buckets, maxDistance);
      return values[bucket * numQHeads + head]!;
    };
  }

  /** What a layer's feed-forward network adds. */
  async mlp({ mlp, mlpNorm, afterMlp }: LayerSpec, x: Float64Array): Promise<Float64Array> {
    const hidden = await this.#activated(mlp, await this.norm(mlpNorm, x));
    const added = await this.#project(mlp.down, hidden);
    return afterMlp ? this.norm(afterMlp, added) : added;
  }

  /** Logits of rows behind the final norm. */
  async head(normed: Float64Array): Promise<Float64Array> {
    const { projection, scale = 1, softcap } = this.#spec.head;
    const { round } = this.arithmetic;
    const logits = await this.#project(projection ?? tableOf(this.#spec), normed);
    return logits.map((z) => capped(round(z * scale), softcap, round));
  }

  async #activated({ gate, up, activation }: MlpSpec, normed: Float64Array): Promise<Float64Array> {
    const { round } = this.arithmetic;
    const act = (x: number) => round(ACTIVATIONS[activation](x));
    const opened = await this.#project(up, normed);
    if (!gate) return opened.map(act);
    const gates = await this.#project(gate, normed);
    return opened.map((x, i) => round(act(gates[i]!) * x));
  }

  async #qkNorm({ qkNorm, headDim }: AttentionSpec, heads: Float64Array, of: 'q' | 'k') {
    if (!qkNorm) return heads;
    const name = qkNorm[of];
    const weight = name === undefined ? undefined : await this.#weights.vector(name);
    const { fromOne, eps } = qkNorm;
    return normalised(heads, headDim, { kind: 'rms', fromOne, eps }, { weight }, this.arithmetic);
  }

  async #project(
    projection: ProjectionSpec,
    rows: Float64Array,
    placeOf?: (input: number) => number,
  ): Promise<Float64Array> {
    const bias = projection.bias === undefined ? undefined : await this.#weights.vector(projection.bias);
    const matrix = await this.#weights.matrix(projection, placeOf);
    return product(rows, matrix, this.arithmetic, bias && ((output) => bias[projection.rowOf(output)]!));
  }
}

/** The embedding as a matrix, [vocab, hidden]. */
function tableOf({ embedding, vocabSize }: ModelSpec): ProjectionSpec {
  return { tensor: embedding.tensor, transposed: false, outputs: vocabSize, rowOf: (row) => row };
}

/** The attention whose K and V these are. */
export function attentionAt({ encoder, layers }: ModelSpec, { of, layer }: KvPlace): AttentionSpec {
  if (of === 'encoder') return encoder!.layers[layer]!.attention;
  return of === 'cross' ? layers[layer]!.cross!.attention : layers[layer]!.attention;
}

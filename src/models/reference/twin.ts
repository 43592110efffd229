// twin.ts: a whole model in plain loops over the tensors of its checkpoint, in float64 or as a naive f32 implementation.
import { ShapeError } from '../../device/errors.ts';
import type { WeightType } from '../../kernels/model/weightsLib.ts';
import type { KvType } from '../../numbers/elements.ts';
import { paddedHeadDim } from '../decoder/headDims.ts';
import type {
  AttentionSpec,
  LayerSpec,
  MlpSpec,
  ModelSpec,
  NormSpec,
  ProjectionSpec,
  TensorReader,
} from '../decoder/spec.ts';
import { ACTIVATIONS } from './activations.ts';
import { FLOAT64, type Arithmetic } from './arithmetic.ts';
import { attend, capped, normalised, product, sumOf, turn } from './steps.ts';
import { placesOfK, placesOfV, storedKv } from './storedKv.ts';
import { WeightReader } from './weights.ts';

/** K and V of a layer, [T, Hkv, D] each. */
export interface LayerKv {
  readonly k: Float64Array;
  readonly v: Float64Array;
}

/** How a twin computes. */
export interface TwinOptions {
  /** Stored type of the matrices. Default: as the checkpoint has them. */
  readonly weightType?: WeightType;
  /** Stored types of K and V. Default f32, and that of K. */
  readonly kType?: KvType;
  readonly vType?: KvType;
  /** Tokens that the text may come to: LongRoPE's frequencies depend on that. Default: as many as there are. */
  readonly capacity?: number;
  /** Default float64. */
  readonly arithmetic?: Arithmetic;
  /** What attention sees of a layer's K and V. Default: what a cache of these types holds of them. */
  readonly kept?: (layer: number, kv: LayerKv) => LayerKv;
}

/** Rows that a twin has come to, [T, width]; of `attention` and `mlp` it is what they add. */
export interface TwinRows {
  readonly step: 'embedding' | 'attention' | 'mlp' | 'layer' | 'norm' | 'logits';
  /** Of the steps within layers. */
  readonly layer?: number;
  readonly width: number;
  readonly values: Float64Array;
}

/** A model that can be computed. */
export type TwinSource = TensorReader & { readonly spec: ModelSpec };

/**
 * Takes a text from its first token on, and gives the rows behind each step in order, one tensor in memory at a time. Throws
 * ShapeError for a tensor that is missing.
 */
export async function* twinOf(
  source: TwinSource,
  tokens: readonly number[],
  options: TwinOptions = {},
): AsyncGenerator<TwinRows, void, undefined> {
  if (source.spec.encoder) {
    throw new ShapeError(
      `twin: expected a decoder-only model, got one with an encoder (${source.spec.type})`,
    );
  }
  const twin = new Twin(source, { capacity: tokens.length, ...options });
  const { hiddenSize: width, vocabSize, layers } = source.spec;
  let x = await twin.embedding(tokens);
  yield { step: 'embedding', width, values: x };
  for (const [layer, each] of layers.entries()) {
    const attention = await twin.attention(layer, each, x);
    yield { step: 'attention', layer, width, values: attention };
    const behind = sumOf(x, attention, twin.arithmetic);
    const mlp = await twin.mlp(each, each.parallel ? x : behind);
    yield { step: 'mlp', layer, width, values: mlp };
    x = sumOf(behind, mlp, twin.arithmetic);
    yield { step: 'layer', layer, width, values: x };
  }
  const normed = await twin.norm(source.spec.finalNorm, x);
  yield { step: 'norm', width, values: normed };
  yield { step: 'logits', width: vocabSize, values: await twin.head(normed) };
}

/** The parts of a model. */
class Twin {
  readonly arithmetic: Arithmetic;
  readonly #spec: ModelSpec;
  readonly #weights: WeightReader;
  readonly #capacity: number;
  readonly #kept: NonNullable<TwinOptions['kept']>;

  constructor(source: TwinSource, options: TwinOptions & { readonly capacity: number }) {
    const { weightType, kType = 'f32', vType = kType, arithmetic = FLOAT64, kept } = options;
    this.arithmetic = arithmetic;
    this.#spec = source.spec;
    this.#capacity = options.capacity;
    this.#weights = new WeightReader(source, weightType);
    this.#kept =
      kept ??
      ((layer, { k, v }) => {
        const { attention } = source.spec.layers[layer]!;
        return {
          k: storedKv(kType, k, placesOfK(attention)),
          v: storedKv(vType, v, placesOfV(attention)),
        };
      });
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

  /** What a layer's attention adds. */
  async attention(layer: number, each: LayerSpec, x: Float64Array): Promise<Float64Array> {
    const { attention, attentionNorm, afterAttention } = each;
    const { numQHeads, numKvHeads, headDim } = attention;
    const normed = await this.norm(attentionNorm, x);
    const [q, k] = [await this.#project(attention.q, normed), await this.#project(attention.k, normed)];
    const v = await this.#project(attention.v, normed);
    const turned = async (heads: Float64Array, count: number, of: 'q' | 'k') => {
      const rows = await this.#qkNorm(attention, heads, of);
      turn(rows, count, attention, this.arithmetic, this.#capacity);
      return rows;
    };
    const queries = await turned(q, numQHeads, 'q');
    const held = this.#kept(layer, { k: await turned(k, numKvHeads, 'k'), v });
    const o = attend(queries, held.k, held.v, attention, this.arithmetic);
    // A device pads heads, and counts the inputs that share a scale with what it pads them by.
    const padded = paddedHeadDim(headDim);
    const placeOf = (input: number) => Math.floor(input / headDim) * padded + (input % headDim);
    const added = await this.#project(attention.o, o, placeOf);
    return afterAttention ? this.norm(afterAttention, added) : added;
  }

  /** What a layer's feed-forward network adds. */
  async mlp({ mlp, mlpNorm, afterMlp }: LayerSpec, x: Float64Array): Promise<Float64Array> {
    const hidden = await this.#activated(mlp, await this.norm(mlpNorm, x));
    const added = await this.#project(mlp.down, hidden);
    return afterMlp ? this.norm(afterMlp, added) : added;
  }

  /** Logits of rows behind the final norm. */
  async head(normed: Float64Array): Promise<Float64Array> {
    const { projection, softcap } = this.#spec.head;
    const logits = await this.#project(projection ?? tableOf(this.#spec), normed);
    return logits.map((z) => capped(z, softcap, this.arithmetic.round));
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

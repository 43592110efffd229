// weightLoader.ts: a model's matrices, norms and biases read from its tensors, packed and uploaded.
import type { BufferRange } from '../../device/buffers.ts';
import { GpuError } from '../../device/errors.ts';
import type { GqaDevice } from '../../device/gqaDevice.ts';
import { scoped } from '../../device/scopes.ts';
import { paddedWidth, tilesOf, type MatrixSizes } from '../../kernels/model/weightsLib.ts';
import { tileOf } from '../../kernels/model/variants.ts';
import { paddedHeadDim } from './headDims.ts';
import { CheckedTensors } from './checkedTensors.ts';
import type {
  LoadedCross,
  LoadedLayer,
  LoadedNorm,
  LoadedProduct,
  LoadedQkNorm,
  LoadedRelativeBias,
  LoadedTable,
  WeightOptions,
} from './loadedWeights.ts';
import { upload, uploadMatrix, type Matrix } from './matrix.ts';
import { plainColumns, typeOfDtypes, type MatrixSource, type Piece } from './packing.ts';
import { headParts, outputColumns, placeIn, type PaddedProjection } from './projections.ts';
import { relativeBiasTable } from './relativeBias.ts';
import type {
  AttentionSpec,
  CrossSpec,
  LayerSpec,
  ModelSpec,
  NormSpec,
  RelativeBiasSpec,
  TensorReader,
} from './spec.ts';

/** Loads the parts of a model one after the other. */
export class WeightLoader {
  readonly #device: GqaDevice;
  readonly #spec: ModelSpec;
  readonly #tensors: CheckedTensors;
  readonly #options: WeightOptions;
  readonly #keep: (buffer: GPUBuffer) => void;
  readonly #tables = new Map<string, LoadedRelativeBias>();
  #done = 0;
  bytes = 0;

  constructor(
    device: GqaDevice,
    spec: ModelSpec,
    reader: TensorReader,
    options: WeightOptions,
    keep: (buffer: GPUBuffer) => void,
  ) {
    this.#device = device;
    this.#spec = spec;
    this.#tensors = new CheckedTensors(reader);
    this.#options = options;
    this.#keep = (buffer) => {
      this.bytes += buffer.size;
      keep(buffer);
    };
  }

  get #all(): number {
    const { encoder, layers, head } = this.#spec;
    const perLayer = encoder ? 7 : 4;
    return 4 * (encoder?.layers.length ?? 0) + perLayer * layers.length + (head.projection ? 2 : 1);
  }

  /** The embedding, a matrix of a row for each token; where it is the head too, with what the final norm's bias comes to behind it. */
  async table(): Promise<LoadedTable> {
    const { embedding, hiddenSize, vocabSize, head, finalNorm } = this.#spec;
    const rowOf = (output: number) => output;
    const projection = { tensor: embedding.tensor, transposed: false, outputs: vocabSize, rowOf };
    const columns = plainColumns(hiddenSize, paddedWidth(hiddenSize));
    const name = head.projection ? undefined : finalNorm.bias;
    const shift = name === undefined ? undefined : await this.#paddedVector(name, hiddenSize, columns.length);
    const { matrix, shifted } = await this.#matrix(
      projection.tensor,
      [[projection]],
      hiddenSize,
      columns,
      shift,
    );
    const bias = await this.#bias(`${name} behind the head`, matrix.sizes, [[projection]], shifted);
    return { matrix, ...(bias && { bias }) };
  }

  async positions({ tensor, count }: { tensor: string; count: number }): Promise<BufferRange> {
    const { hiddenSize } = this.#spec;
    const width = paddedWidth(hiddenSize);
    const values = await this.#tensors.values(tensor, [count, hiddenSize]);
    const rows = new Float32Array(count * width);
    for (let row = 0; row < count; row++) {
      rows.set(values.subarray(row * hiddenSize, (row + 1) * hiddenSize), row * width);
    }
    return upload(this.#device, tensor, rows, this.#keep);
  }

  async norm(norm: NormSpec): Promise<LoadedNorm> {
    return { gains: await this.#gains(norm), eps: norm.eps };
  }

  /** `shared`: a layer of the same MLP. */
  async layer(layer: LayerSpec, shared?: LoadedLayer): Promise<LoadedLayer> {
    const { attention, mlp, cross, afterAttention, afterMlp } = layer;
    const { hiddenSize } = this.#spec;
    const { qkNorm, relativeBias } = attention;
    const inputs = paddedWidth(hiddenSize);
    const gated = mlp.gate ? [[mlp.gate], [mlp.up]] : [[mlp.up]];
    return {
      qkv: await this.#qkv(layer),
      ...(qkNorm && { qkNorm: await this.#qkNorm(attention) }),
      ...(relativeBias && { relativeBias: await this.#relativeBias(attention, relativeBias) }),
      ...(cross && { cross: await this.#cross(cross) }),
      o: await this.#product(attention.o.tensor, [[attention.o]], outputColumns(attention)),
      ...(afterAttention && { afterAttention: await this.norm(afterAttention) }),
      up:
        shared?.up ??
        (await this.#product(mlp.up.tensor, gated, plainColumns(hiddenSize, inputs), layer.mlpNorm)),
      down:
        shared?.down ??
        (await this.#product(
          mlp.down.tensor,
          [[mlp.down]],
          plainColumns(mlp.up.outputs, paddedWidth(mlp.up.outputs)),
        )),
      ...(afterMlp && { afterMlp: await this.norm(afterMlp) }),
    };
  }

  async head(table: LoadedTable): Promise<LoadedProduct> {
    const { head, finalNorm } = this.#spec;
    if (head.projection) {
      return this.#product(head.projection.tensor, [[head.projection]], this.#hiddenColumns, finalNorm);
    }
    return { ...table, gains: await this.#gains(finalNorm), norm: finalNorm };
  }

  /** q, k and v one behind the other, heads padded to what caches take. */
  async #qkv({ attention, attentionNorm }: LayerSpec): Promise<LoadedProduct> {
    const { q, k, v } = headParts(attention);
    return this.#product(q.tensor, [[q, k, v]], this.#hiddenColumns, attentionNorm);
  }

  /** Queries apart from k and v, which are of other hidden states. */
  async #cross({ attention, norm }: CrossSpec): Promise<LoadedCross> {
    const { q, k, v } = headParts(attention);
    const columns = this.#hiddenColumns;
    return {
      q: await this.#product(q.tensor, [[q]], columns, norm),
      kv: await this.#product(k.tensor, [[k, v]], columns, this.#spec.encoder!.finalNorm),
      o: await this.#product(attention.o.tensor, [[attention.o]], outputColumns(attention)),
    };
  }

  get #hiddenColumns(): Int32Array {
    const { hiddenSize } = this.#spec;
    return plainColumns(hiddenSize, paddedWidth(hiddenSize));
  }

  /** The table of a tensor, uploaded once for all layers that share it. */
  async #relativeBias({ numQHeads }: AttentionSpec, bias: RelativeBiasSpec): Promise<LoadedRelativeBias> {
    const known = this.#tables.get(bias.tensor);
    if (known) return known;
    const values = await this.#tensors.values(bias.tensor, [bias.buckets, numQHeads]);
    const table = upload(this.#device, bias.tensor, relativeBiasTable(bias, values, numQHeads), this.#keep);
    const made = { table, farthest: bias.maxDistance };
    this.#tables.set(bias.tensor, made);
    return made;
  }

  async #qkNorm({ qkNorm, headDim }: AttentionSpec): Promise<LoadedQkNorm> {
    const { fromOne, eps } = qkNorm!;
    const width = paddedHeadDim(headDim);
    // Zeros behind a row would count as elements: the sum of squares is the same, and what it is divided by not.
    const scale = Math.sqrt(headDim / width);
    const weights = async (name: string | undefined) => {
      const values = name === undefined ? undefined : await this.#tensors.values(name, [headDim]);
      return Float32Array.from({ length: width }, (_, d) =>
        d < headDim ? scale * ((values?.[d] ?? 1) + (fromOne ? 1 : 0)) : 0,
      );
    };
    return { q: await weights(qkNorm!.q), k: await weights(qkNorm!.k), eps: (eps * headDim) / width };
  }

  async #product(
    label: string,
    matrices: readonly (readonly PaddedProjection[])[],
    columns: Int32Array,
    norm?: NormSpec,
  ): Promise<LoadedProduct> {
    const width = columns.reduce((most, column) => Math.max(most, column + 1), 0);
    const shift =
      norm?.bias === undefined ? undefined : await this.#paddedVector(norm.bias, width, columns.length);
    const { matrix, shifted } = await this.#matrix(label, matrices, width, columns, shift);
    const bias = await this.#bias(label, matrix.sizes, matrices, shifted);
    const gains = norm && (await this.#gains(norm));
    return { matrix, ...(gains && { gains, norm }), ...(bias && { bias }) };
  }

  async #matrix(
    label: string,
    matrices: readonly (readonly PaddedProjection[])[],
    width: number,
    columns: Int32Array,
    shift?: Float64Array,
  ): Promise<{ matrix: Matrix; shifted?: Float64Array }> {
    const outputs = matrices[0]!.reduce((sum, each) => sum + each.outputs, 0);
    const type =
      this.#options.weightType ??
      typeOfDtypes(matrices.flat().map((each) => this.#tensors.find(each.tensor).dtype));
    const sizes: MatrixSizes = {
      type,
      inputs: columns.length,
      outputs,
      matrices: matrices.length as 1 | 2,
      tile: tileOf(this.#device.facts),
    };
    const pieces = new Map<string, Piece>();
    for (const { tensor, transposed } of matrices.flat()) {
      if (!pieces.has(tensor)) pieces.set(tensor, await this.#tensors.piece(tensor, transposed, width, type));
    }
    const source: MatrixSource = { sizes, columns, place: placeIn(matrices, pieces) };
    const { value, error } = await scoped(this.#device, ['out-of-memory'], () =>
      uploadMatrix(this.#device, label, source, this.#keep, shift),
    );
    if (error) {
      throw new GpuError(`model: ${label}: ${value.matrix.bytes} bytes could not be allocated`, {
        cause: error,
      });
    }
    this.#options.onProgress?.(++this.#done, this.#all);
    return value;
  }

  /** Biases of all outputs, and what a norm's own bias comes to behind the product. */
  async #bias(
    label: string,
    sizes: MatrixSizes,
    matrices: readonly (readonly PaddedProjection[])[],
    shifted: Float64Array | undefined,
  ): Promise<BufferRange | undefined> {
    if (!shifted && matrices.flat().every(({ bias }) => bias === undefined)) return undefined;
    const bias = new Float32Array(tilesOf(sizes) * sizes.tile * sizes.matrices);
    if (shifted) bias.set(shifted);
    for (const [m, parts] of matrices.entries()) {
      let first = 0;
      for (const part of parts) {
        if (part.bias !== undefined) {
          const values = await this.#tensors.values(part.bias);
          for (let i = 0; i < part.outputs; i++) {
            const row = part.rowOf(i);
            if (row >= 0) bias[(first + i) * sizes.matrices + m]! += values[row]!;
          }
        }
        first += part.outputs;
      }
    }
    return upload(this.#device, `${label} bias`, bias, this.#keep);
  }

  async #gains({ weight, fromOne }: NormSpec): Promise<BufferRange> {
    const { hiddenSize } = this.#spec;
    const values = weight === undefined ? undefined : await this.#tensors.values(weight, [hiddenSize]);
    const gains = new Float32Array(paddedWidth(hiddenSize));
    for (let i = 0; i < hiddenSize; i++) gains[i] = (values?.[i] ?? 1) + (fromOne ? 1 : 0);
    return upload(this.#device, weight ?? 'gains', gains, this.#keep);
  }

  async #paddedVector(name: string, width: number, length: number): Promise<Float64Array> {
    const vector = new Float64Array(length);
    vector.set(await this.#tensors.values(name, [width]));
    return vector;
  }
}

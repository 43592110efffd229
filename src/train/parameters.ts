// parameters.ts: where each of a model's parameters lies in one buffer, the decayed ones first; pure.
import type { LayerSpec, ModelSpec, NormSpec, ProjectionSpec } from '../models/decoder/spec.ts';

/** Rows of a tensor, in the order in which the kernels want them. */
export interface Piece {
  readonly tensor: string;
  /** Whether the tensor lies [columns, rows]. */
  readonly transposed: boolean;
  readonly rows: number;
  readonly rowOf: (row: number) => number;
}

/** A matrix [rows, columns], or a vector [rows] of one column, made of pieces one behind the other; rows behind them are zeros. */
export interface Block {
  /** In elements. */
  readonly offset: number;
  readonly rows: number;
  readonly columns: number;
  readonly pieces: readonly Piece[];
}

/** A product's weights and its biases, [outputs, inputs] and [outputs]. */
export interface ProductBlocks {
  readonly weights: Block;
  readonly bias?: Block;
}

export interface NormBlocks {
  readonly gains: Block;
  readonly bias?: Block;
}

export interface LayerBlocks {
  readonly attentionNorm: NormBlocks;
  /** Of queries, keys and values, in one piece; `q` and `kv` are its parts. */
  readonly qkv: Block;
  readonly q: ProductBlocks;
  readonly kv: ProductBlocks;
  readonly o: ProductBlocks;
  readonly mlpNorm: NormBlocks;
  /** Of the gate, where there is one, and behind it of what it gates. */
  readonly up: ProductBlocks;
  readonly down: ProductBlocks;
}

export interface ParameterLayout {
  /** Elements of all. */
  readonly count: number;
  /** Elements before this one are those of matrices, which weight decay is for. */
  readonly decayed: number;
  /** Rows of the vocabulary are a multiple of 4; those behind the last token stay zeros. */
  readonly embedding: Block;
  readonly positions?: Block;
  readonly layers: readonly LayerBlocks[];
  readonly finalNorm: NormBlocks;
  /** The embedding, where the model has no other. */
  readonly head: Block;
}

/** Blocks begin at multiples of 256 bytes, which every device can bind. */
const ALIGNMENT = 64;

/** Rows that kernels take at once. */
const ROW_MULTIPLE = 4;

/** Lays a model's parameters out. */
export function layOut(spec: ModelSpec): ParameterLayout {
  const place = new Placer();
  const { embedding, hiddenSize, vocabSize, head } = spec;
  const table = place.matrix([wholeTensor(embedding.tensor, vocabSize)], hiddenSize);
  const positions =
    embedding.positions &&
    place.matrix([wholeTensor(embedding.positions.tensor, embedding.positions.count)], hiddenSize);
  const own = head.projection && place.matrix([pieceOf(head.projection)], hiddenSize);
  const matrices = spec.layers.map((layer) => layerMatrices(place, layer, hiddenSize));
  const decayed = place.end;
  const layers = spec.layers.map((layer, i) => layerBlocks(place, layer, matrices[i]!, hiddenSize));
  const finalNorm = normBlocks(place, spec.finalNorm, hiddenSize);
  return {
    count: place.end,
    decayed,
    embedding: table,
    ...(positions && { positions }),
    layers,
    finalNorm,
    head: own ?? table,
  };
}

/** All blocks, none twice. */
export function blocksOf({ embedding, positions, layers, finalNorm, head }: ParameterLayout): Block[] {
  const ofNorm = ({ gains, bias }: NormBlocks) => [gains, bias];
  const all = [
    embedding,
    positions,
    head === embedding ? undefined : head,
    ...layers.flatMap((layer) => [
      ...ofNorm(layer.attentionNorm),
      layer.qkv,
      ...[layer.q, layer.kv].map(({ bias }) => bias),
      ...[layer.o, layer.up, layer.down].flatMap(({ weights, bias }) => [weights, bias]),
      ...ofNorm(layer.mlpNorm),
    ]),
    ...ofNorm(finalNorm),
  ];
  return all.filter((block) => block !== undefined);
}

/** Gives places away one behind the other. */
class Placer {
  #end = 0;

  get end(): number {
    return this.#end;
  }

  matrix(pieces: readonly Piece[], columns: number): Block {
    return this.#place(pieces, columns, ROW_MULTIPLE);
  }

  vector(pieces: readonly Piece[]): Block {
    return this.#place(pieces, 1, ROW_MULTIPLE);
  }

  #place(pieces: readonly Piece[], columns: number, multiple: number): Block {
    const named = pieces.reduce((sum, { rows }) => sum + rows, 0);
    const rows = Math.ceil(named / multiple) * multiple;
    const offset = this.#end;
    this.#end = Math.ceil((offset + rows * columns) / ALIGNMENT) * ALIGNMENT;
    return { offset, rows, columns, pieces };
  }
}

interface LayerMatrices {
  readonly qkv: Block;
  readonly o: Block;
  readonly up: Block;
  readonly down: Block;
}

function layerMatrices(place: Placer, { attention, mlp }: LayerSpec, hiddenSize: number): LayerMatrices {
  const { q, k, v, o, numQHeads, headDim } = attention;
  const { gate, up, down } = mlp;
  return {
    qkv: place.matrix([q, k, v].map(pieceOf), hiddenSize),
    o: place.matrix([pieceOf(o)], numQHeads * headDim),
    up: place.matrix((gate ? [gate, up] : [up]).map(pieceOf), hiddenSize),
    down: place.matrix([pieceOf(down)], up.outputs),
  };
}

function layerBlocks(
  place: Placer,
  layer: LayerSpec,
  matrices: LayerMatrices,
  hiddenSize: number,
): LayerBlocks {
  const { attention, mlp } = layer;
  const { q, k, v, o } = attention;
  const { qkv } = matrices;
  const products = (weights: Block, projections: readonly ProjectionSpec[]): ProductBlocks => {
    const pieces = projections.flatMap(biasPiece);
    return { weights, ...(pieces.length > 0 && { bias: place.vector(pieces) }) };
  };
  const ofQ = { ...qkv, rows: q.outputs, pieces: qkv.pieces.slice(0, 1) };
  const ofKv = {
    offset: qkv.offset + q.outputs * hiddenSize,
    rows: k.outputs + v.outputs,
    columns: hiddenSize,
    pieces: qkv.pieces.slice(1),
  };
  return {
    attentionNorm: normBlocks(place, layer.attentionNorm, hiddenSize),
    qkv,
    q: products(ofQ, [q]),
    kv: products(ofKv, [k, v]),
    o: products(matrices.o, [o]),
    mlpNorm: normBlocks(place, layer.mlpNorm, hiddenSize),
    up: products(matrices.up, mlp.gate ? [mlp.gate, mlp.up] : [mlp.up]),
    down: products(matrices.down, [mlp.down]),
  };
}

function normBlocks(place: Placer, { weight, bias }: NormSpec, width: number): NormBlocks {
  return {
    gains: place.vector([wholeTensor(weight!, width)]),
    ...(bias !== undefined && { bias: place.vector([wholeTensor(bias, width)]) }),
  };
}

function pieceOf({ tensor, transposed, outputs, rowOf }: ProjectionSpec): Piece {
  return { tensor, transposed, rows: outputs, rowOf };
}

function biasPiece({ bias, outputs, rowOf }: ProjectionSpec): Piece[] {
  return bias === undefined ? [] : [{ tensor: bias, transposed: false, rows: outputs, rowOf }];
}

function wholeTensor(tensor: string, rows: number): Piece {
  return { tensor, transposed: false, rows, rowOf: (row) => row };
}

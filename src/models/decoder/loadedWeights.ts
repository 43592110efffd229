// loadedWeights.ts: a model's weights on a device, as passes bind them.
import type { BufferRange } from '../../device/buffers.ts';
import type { Known } from '../../device/options.ts';
import type { WeightType } from '../../kernels/model/weightsLib.ts';
import type { Matrix } from './matrix.ts';
import type { NormSpec } from './spec.ts';

/** A matrix with what its product takes in front and behind. */
export interface LoadedProduct {
  readonly matrix: Matrix;
  readonly gains?: BufferRange;
  readonly bias?: BufferRange;
  readonly norm?: NormSpec;
}

/** The embedding, with the bias that it has as the head. */
export type LoadedTable = Pick<LoadedProduct, 'matrix' | 'bias'>;

/** Gains of a norm behind a product. */
export interface LoadedNorm {
  readonly gains: BufferRange;
  readonly eps: number;
}

/** Weights of the norm over heads, as `QkNorm` takes them. */
export interface LoadedQkNorm {
  readonly q: Float32Array;
  readonly k: Float32Array;
  readonly eps: number;
}

/** Biases by distance, as `LayerFeatures.relativeBias` has them: f32 [Hq, 2 * farthest + 1]. */
export interface LoadedRelativeBias {
  readonly table: BufferRange;
  readonly farthest: number;
}

/** Cross-attention: queries of the hidden states, K and V of the encoder's, behind its final norm. */
export interface LoadedCross {
  readonly q: LoadedProduct;
  readonly kv: LoadedProduct;
  readonly o: LoadedProduct;
}

export interface LoadedLayer {
  readonly qkv: LoadedProduct;
  readonly qkNorm?: LoadedQkNorm;
  readonly relativeBias?: LoadedRelativeBias;
  readonly cross?: LoadedCross;
  readonly o: LoadedProduct;
  readonly afterAttention?: LoadedNorm;
  readonly up: LoadedProduct;
  readonly down: LoadedProduct;
  readonly afterMlp?: LoadedNorm;
}

export interface LoadedWeights {
  readonly embedding: Matrix;
  readonly positions?: BufferRange;
  readonly embeddingNorm?: LoadedNorm;
  /** Layers of the encoder; none where there is none. */
  readonly encoder: readonly LoadedLayer[];
  readonly layers: readonly LoadedLayer[];
  readonly head: LoadedProduct;
  readonly bytes: number;
}

/** How weights are stored. */
export interface WeightOptions {
  /** Element type of all matrices. Default: that of the checkpoint. */
  readonly weightType?: WeightType;
  /** Told after each matrix of how many there are. Default: nobody is told. */
  readonly onProgress?: (done: number, all: number) => void;
}

export const WEIGHT_OPTIONS = { weightType: true, onProgress: true } satisfies Known<WeightOptions>;

// weightsLib.ts: how weights lie for the kernels that read them: element types, and tiles of outputs.
import weightsBf16 from '../../../shaders/lib/model/weights_bf16.wgsl?raw';
import weightsF16 from '../../../shaders/lib/model/weights_f16.wgsl?raw';
import weightsF32 from '../../../shaders/lib/model/weights_f32.wgsl?raw';
import weightsInt4 from '../../../shaders/lib/model/weights_int4.wgsl?raw';
import weightsInt8 from '../../../shaders/lib/model/weights_int8.wgsl?raw';
import type { KvType } from '../../numbers/elements.ts';

/** Element types of weights; int8 and int4 have an f32 scale for every 32 inputs of an output. */
export type WeightType = KvType;

/** Outputs of a tile at most: rows of results have room for the rest of one. */
export const MAX_TILE = 32;

/** Inputs are padded with zeros to a multiple of this, which all types divide. */
export const INPUT_MULTIPLE = 64;

/** Inputs that share a scale. */
export const SCALE_INPUTS = 32;

/** Elements in a word of 16 bytes. */
export const WORD_ELEMENTS: Readonly<Record<WeightType, number>> = {
  f32: 4,
  f16: 8,
  bf16: 8,
  int8: 16,
  int4: 32,
};

/** Vec4s of inputs that a gemm stages at once: as many as the longest word has. */
export const STEP_FOURS = 8;

export const WEIGHTS_LIB: Readonly<Record<WeightType, string>> = {
  f32: weightsF32,
  f16: weightsF16,
  bf16: weightsBf16,
  int8: weightsInt8,
  int4: weightsInt4,
};

/** Elements that a row of activations takes: zeros from `width` on. */
export function paddedWidth(width: number): number {
  return Math.ceil(width / INPUT_MULTIPLE) * INPUT_MULTIPLE;
}

/** Whether weights of a type have scales beside them. */
export function hasScales(type: WeightType): boolean {
  return type === 'int8' || type === 'int4';
}

/** Sizes of a matrix, or of a pair of equal ones, in tiles. */
export interface MatrixSizes {
  readonly type: WeightType;
  /** K, elements of a row of activations, padded. */
  readonly inputs: number;
  /** N, the results of a row. */
  readonly outputs: number;
  /** 2 for a gate and what it opens, side by side. */
  readonly matrices: 1 | 2;
  /** Outputs of a tile, by the device: neighbouring invocations read neighbouring words of 16 bytes. */
  readonly tile: number;
}

/** Words of 16 bytes along a row of inputs. */
export function blocksOf({ type, inputs }: Pick<MatrixSizes, 'type' | 'inputs'>): number {
  return inputs / WORD_ELEMENTS[type];
}

/** Bytes of a tile's weights, and of its scales. */
export function tileBytes(sizes: Omit<MatrixSizes, 'outputs'>): { weights: number; scales: number } {
  const { type, inputs, matrices, tile } = sizes;
  return {
    weights: blocksOf(sizes) * matrices * tile * 16,
    scales: hasScales(type) ? (inputs / SCALE_INPUTS) * matrices * tile * 4 : 0,
  };
}

/** Tiles of a matrix. */
export function tilesOf({ outputs, tile }: Pick<MatrixSizes, 'outputs' | 'tile'>): number {
  return Math.ceil(outputs / tile);
}

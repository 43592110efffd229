// storedWeights.ts: weights out of the tiles that kernels read, by the headers of shaders/lib/model/weights_*.wgsl, in plain arithmetic.
import type { WeightType } from '../../src/kernels/model/weightsLib.ts';
import { bf16Value, f16Value } from '../../src/numbers/halves.ts';

/** A run of tiles [tiles, BLOCKS, MATRICES, tile] of words of 16 bytes, and their scales. */
export interface StoredTiles {
  readonly type: WeightType;
  readonly inputs: number;
  readonly matrices: number;
  /** Outputs of a tile. */
  readonly tile: number;
  readonly weights: Uint32Array<ArrayBuffer>;
  readonly scales?: Float32Array<ArrayBuffer>;
}

const BITS: Readonly<Record<WeightType, number>> = { f32: 32, f16: 16, bf16: 16, int8: 8, int4: 4 };

/** The weight of an input to an output, counted from the first tile's, and the scale that it is stored with (1 without). */
export function storedWeight(
  { type, inputs, matrices, tile: outputs, weights, scales }: StoredTiles,
  matrix: number,
  output: number,
  input: number,
): { readonly value: number; readonly scale: number } {
  const bits = BITS[type];
  const perWord = 128 / bits;
  const [tile, lane] = [Math.floor(output / outputs), output % outputs];
  const word =
    ((tile * (inputs / perWord) + Math.floor(input / perWord)) * matrices + matrix) * outputs + lane;
  const bitAt = (input % perWord) * bits;
  const u32 = weights[word * 4 + Math.floor(bitAt / 32)]!;
  const code = Number((BigInt(u32) >> BigInt(bitAt % 32)) & ((1n << BigInt(bits)) - 1n));
  if (type === 'f32') return { value: new Float32Array(Uint32Array.of(code).buffer)[0]!, scale: 1 };
  if (type === 'f16') return { value: f16Value(code), scale: 1 };
  if (type === 'bf16') return { value: bf16Value(code), scale: 1 };
  // A scale for every 32 inputs of an output.
  const scale =
    scales![((tile * (inputs / 32) + Math.floor(input / 32)) * matrices + matrix) * outputs + lane]!;
  const level = type === 'int4' ? code - 8 : code < 128 ? code : code - 256;
  return { value: Math.fround(level * scale), scale };
}

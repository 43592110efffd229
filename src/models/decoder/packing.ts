// packing.ts: weights from the tensors of a checkpoint into the tiles that kernels read (kernels/model/weightsLib.ts).
import {
  INPUT_MULTIPLE,
  SCALE_INPUTS,
  tileBytes,
  WORD_ELEMENTS,
  type MatrixSizes,
  type WeightType,
} from '../../kernels/model/weightsLib.ts';
import { bf16Bits, bf16Values, f16Bits, f16Values } from '../../numbers/halves.ts';
import { ShapeError } from '../../device/errors.ts';

/** Values of a tensor in the element type that they are to be stored in; f32 for the types with scales. */
export type Codes = Float32Array | Uint16Array;

/** A tensor as a matrix [rows, columns]: element (r, c) is at r * rowStride + c * columnStride. */
export interface Piece {
  readonly codes: Codes;
  readonly rowStride: number;
  readonly columnStride: number;
}

/** Where a matrix comes from. */
export interface MatrixSource {
  readonly sizes: MatrixSizes;
  /** The piece and its row of an output, below `sizes.outputs`; undefined for one that is always zero. */
  readonly place: (
    output: number,
    matrix: number,
  ) => { readonly piece: Piece; readonly row: number } | undefined;
  /** Column of each input, [inputs]; -1 for one that is always zero. */
  readonly columns: Int32Array;
}

/** A run of tiles. */
export interface PackedTiles {
  readonly weights: Uint32Array<ArrayBuffer>;
  readonly scales?: Float32Array<ArrayBuffer>;
  /** The products of the stored weights with `shift`, for each output of the tiles and each matrix. */
  readonly shifted?: Float64Array;
}

/** Columns as they are, zeros behind them. */
export function plainColumns(width: number, inputs: number): Int32Array {
  return Int32Array.from({ length: inputs }, (_, i) => (i < width ? i : -1));
}

/** Columns of heads of `dim` elements that are padded to `padded` each. */
export function headColumns(heads: number, dim: number, padded: number, inputs: number): Int32Array {
  return Int32Array.from({ length: inputs }, (_, i) => {
    const [head, d] = [Math.floor(i / padded), i % padded];
    return head < heads && d < dim ? head * dim + d : -1;
  });
}

/** A checkpoint's values of a dtype as codes of a type. Those of the same type are taken as they are. */
export function codesOf(dtype: string, bytes: Uint8Array, type: WeightType): Codes {
  const same = { F32: 'f32', F16: 'f16', BF16: 'bf16' }[dtype];
  if (same === undefined) throw new ShapeError(`weights: expected F32, F16 or BF16, got ${dtype}`);
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const { buffer, byteOffset, byteLength } = aligned;
  const values =
    dtype === 'F32'
      ? new Float32Array(buffer, byteOffset, byteLength / 4)
      : new Uint16Array(buffer, byteOffset, byteLength / 2);
  if (same === type) return values;
  const floats =
    values instanceof Float32Array ? values : dtype === 'F16' ? f16Values(values) : bf16Values(values);
  if (type !== 'f16' && type !== 'bf16') return floats;
  const bitsOf = type === 'f16' ? f16Bits : bf16Bits;
  const out = new Uint16Array(floats.length);
  for (let i = 0; i < out.length; i++) out[i] = bitsOf(floats[i]!);
  return out;
}

/** The type that holds values of all these dtypes as they are. */
export function typeOfDtypes(dtypes: readonly string[]): WeightType {
  const [first] = dtypes;
  if (dtypes.some((dtype) => dtype !== first)) return 'f32';
  return first === 'F16' ? 'f16' : first === 'BF16' ? 'bf16' : 'f32';
}

/** The values that codes stand for. */
export function valuesOf(codes: Codes, type: WeightType): Float32Array {
  if (codes instanceof Float32Array) return codes;
  return type === 'f16' ? f16Values(codes) : bf16Values(codes);
}

/** Packs `tiles` tiles from tile `first` on. `shift`: see PackedTiles, [inputs]. */
export function packTiles(
  source: MatrixSource,
  first: number,
  tiles: number,
  shift?: ArrayLike<number>,
): PackedTiles {
  const { type, inputs, matrices, tile } = source.sizes;
  if (inputs % INPUT_MULTIPLE !== 0) throw new Error(`packTiles: ${inputs} inputs`);
  const bytes = tileBytes(source.sizes);
  const weights = new Uint32Array((tiles * bytes.weights) / 4);
  const scales = bytes.scales > 0 ? new Float32Array((tiles * bytes.scales) / 4) : undefined;
  const shifted = shift && new Float64Array(tiles * tile * matrices);
  const put = writerOf(source.sizes, weights, scales);
  const row = new Float32Array(inputs);
  const codes = type === 'f16' || type === 'bf16' ? new Uint16Array(inputs) : row;
  for (let output = 0; output < tiles * tile; output++) {
    for (let m = 0; m < matrices; m++) {
      const wanted = first * tile + output;
      const place = wanted < source.sizes.outputs ? source.place(wanted, m) : undefined;
      if (!place) continue;
      gather(place.piece, place.row, source.columns, codes);
      const lane = output % tile;
      const stored = put(codes, Math.floor(output / tile) * inputs * matrices * tile, m, lane);
      if (shifted) shifted[output * matrices + m] = dotOf(stored, type, shift);
    }
  }
  return { weights, ...(scales && { scales }), ...(shifted && { shifted }) };
}

function gather(
  { codes, rowStride, columnStride }: Piece,
  row: number,
  columns: Int32Array,
  to: Codes,
): void {
  const start = row * rowStride;
  for (let i = 0; i < columns.length; i++) {
    const column = columns[i]!;
    to[i] = column < 0 ? 0 : codes[start + column * columnStride]!;
  }
}

/** Products in float64 with the values that were stored. */
function dotOf(codes: Codes, type: WeightType, shift: ArrayLike<number>): number {
  const values = valuesOf(codes, type);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! * shift[i]!;
  return sum;
}

/** Writes the codes of an output's row where the tile begins, in elements; returns what was stored. */
type Put = (codes: Codes, tile: number, matrix: number, lane: number) => Codes;

function writerOf(
  { type, matrices, tile: tileOutputs }: MatrixSizes,
  weights: Uint32Array<ArrayBuffer>,
  scales: Float32Array<ArrayBuffer> | undefined,
): Put {
  const perWord = WORD_ELEMENTS[type];
  if (type === 'int8' || type === 'int4')
    return quantiser({ type, matrices, tile: tileOutputs }, weights, scales!);
  const elements = type === 'f32' ? new Float32Array(weights.buffer) : new Uint16Array(weights.buffer);
  return (codes, tile, matrix, lane) => {
    for (let i = 0; i < codes.length; i += perWord) {
      const word = ((i / perWord) * matrices + matrix) * tileOutputs + lane;
      for (let e = 0; e < perWord; e++) elements[tile + word * perWord + e] = codes[i + e]!;
    }
    return codes;
  };
}

/**
 * int8: -127 to 127 times a scale. int4: -8 to 7 times one of either sign, which makes the largest element -8: that one is kept, and one
 * of the other sign that is nearly as large becomes 7.
 */
function quantiser(
  {
    type,
    matrices,
    tile: tileOutputs,
  }: Pick<MatrixSizes, 'matrices' | 'tile'> & { readonly type: 'int8' | 'int4' },
  weights: Uint32Array<ArrayBuffer>,
  scales: Float32Array<ArrayBuffer>,
): Put {
  const bytes = new Uint8Array(weights.buffer);
  const perWord = WORD_ELEMENTS[type];
  return (codes, tile, matrix, lane) => {
    const stored = new Float32Array(codes.length);
    for (let i = 0; i < codes.length; i += SCALE_INPUTS) {
      const scale = scaleOf(type, codes, i);
      scales[tile / SCALE_INPUTS + ((i / SCALE_INPUTS) * matrices + matrix) * tileOutputs + lane] = scale;
      for (let e = i; e < i + SCALE_INPUTS; e++) {
        const level = levelOf(type, codes[e]!, scale);
        stored[e] = Math.fround(level * scale);
        const word =
          (tile / perWord + (Math.floor(e / perWord) * matrices + matrix) * tileOutputs + lane) * 16;
        const at = e % perWord;
        if (type === 'int8') bytes[word + at] = level;
        else bytes[word + (at >> 1)]! |= (level + 8) << (4 * (at & 1));
      }
    }
    return stored;
  };
}

/** NaN where an element is not finite: all of its 32 read as NaN then, as they do in caches. */
function scaleOf(type: 'int8' | 'int4', codes: Codes, first: number): number {
  let largest = 0;
  for (let e = first; e < first + SCALE_INPUTS; e++) {
    if (!Number.isFinite(codes[e]!)) return NaN;
    if (Math.abs(codes[e]!) > Math.abs(largest)) largest = codes[e]!;
  }
  return Math.fround(type === 'int8' ? Math.abs(largest) / 127 : largest / -8);
}

function levelOf(type: 'int8' | 'int4', value: number, scale: number): number {
  if (scale === 0) return 0;
  const level = Math.round(value / scale);
  return type === 'int8' ? Math.max(-127, Math.min(127, level)) : Math.max(-8, Math.min(7, level));
}

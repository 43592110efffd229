// storedRows.ts: K or V of a layer as a cache's buffer holds it, made and read on the host: rows, then their scales.
import {
  rowScaleBytes,
  rowWords,
  scalesStart,
  scaleStride,
  storedBytes,
  WORD_BYTES,
  type RowsLayout,
} from './elements.ts';
import { bf16Bits, bf16Values, f16Bits, f16Value, f16Values } from './halves.ts';

/**
 * Bytes for a buffer of K or V of one layer. Quantised rows get scales of their largest element.
 * @param layout the cache's `layout.k` or `layout.v`
 * @param values [heads, capacity, D], heads being B * Hkv
 */
export function encodeRows(layout: RowsLayout, values: ArrayLike<number>): Uint8Array<ArrayBuffer> {
  const stored = new Uint8Array(storedBytes(layout));
  const rows = layout.heads * layout.capacity;
  checkCount('encodeRows', values.length, rows * layout.headDim);
  const write = ROW_WRITERS[layout.type](layout, stored);
  for (let row = 0; row < rows; row++) write(row, values);
  return stored;
}

/**
 * The values [heads, capacity, D] that a buffer's bytes stand for; the inverse of `encodeRows` but for rounding.
 * @param layout the cache's `layout.k` or `layout.v`
 * @param stored all bytes of the buffer, as `readBack` gives them
 */
export function decodeRows(layout: RowsLayout, stored: ArrayBufferView): Float32Array<ArrayBuffer> {
  checkCount('decodeRows', stored.byteLength, storedBytes(layout));
  // A copy of its own: halves and floats need an aligned one.
  const bytes = Uint8Array.from(new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength));
  return READERS[layout.type](layout, bytes);
}

function checkCount(where: string, got: number, expected: number): void {
  if (got !== expected) throw new RangeError(`${where}: expected ${expected}, got ${got}`);
}

type RowWriter = (row: number, values: ArrayLike<number>) => void;

const ROW_WRITERS: Readonly<
  Record<RowsLayout['type'], (layout: RowsLayout, stored: Uint8Array<ArrayBuffer>) => RowWriter>
> = {
  f32: ({ headDim }, stored) => {
    const out = new Float32Array(stored.buffer);
    return (row, values) => {
      for (let i = row * headDim; i < (row + 1) * headDim; i++) out[i] = values[i]!;
    };
  },
  f16: halfWriter(f16Bits),
  bf16: halfWriter(bf16Bits),
  int8: (layout, stored) => {
    const scales = scalesOf(layout, stored);
    return (row, values) => {
      const at = row * layout.headDim;
      const scale = scales.write(row, 0, maxAbs(values, at, layout.headDim) / 127);
      for (let i = at; i < at + layout.headDim; i++) stored[i] = quantised(values[i]!, scale, 127) + 128;
    };
  },
  int4: (layout, stored) => {
    const scales = scalesOf(layout, stored);
    const bytes = rowWords('int4', layout.headDim) * WORD_BYTES;
    return (row, values) => {
      for (let from = 0; from < layout.headDim; from += 32) {
        const at = row * layout.headDim + from;
        const count = Math.min(32, layout.headDim - from);
        // The element of the largest magnitude becomes -8 exactly, the one end of the range.
        const scale = scales.write(row, from / 32, -signedMax(values, at, count) / 8);
        for (let i = 0; i < count; i++) {
          const nibble = Math.min(15, quantised(values[at + i]!, scale, 8) + 8);
          stored[row * bytes + ((from + i) >> 1)]! |= nibble << (4 * (i & 1));
        }
      }
    };
  },
};

const READERS: Readonly<
  Record<
    RowsLayout['type'],
    (layout: RowsLayout, stored: Uint8Array<ArrayBuffer>) => Float32Array<ArrayBuffer>
  >
> = {
  f32: (_, stored) => new Float32Array(stored.buffer),
  f16: (_, stored) => f16Values(new Uint16Array(stored.buffer)),
  bf16: (_, stored) => bf16Values(new Uint16Array(stored.buffer)),
  int8: (layout, stored) => {
    const scales = scalesOf(layout, stored);
    return readRows(layout, (row, _, at) => (stored[at]! - 128) * scales.read(row, 0));
  },
  int4: (layout, stored) => {
    const scales = scalesOf(layout, stored);
    const bytes = rowWords('int4', layout.headDim) * WORD_BYTES;
    return readRows(layout, (row, i) => {
      const nibble = (stored[row * bytes + (i >> 1)]! >> (4 * (i & 1))) & 15;
      return (nibble - 8) * scales.read(row, i >> 5);
    });
  },
};

/** Values [rows, D] from a function of a row, an element's number in it, and its number of all. */
function readRows(
  { heads, capacity, headDim }: RowsLayout,
  read: (row: number, i: number, at: number) => number,
): Float32Array<ArrayBuffer> {
  const values = new Float32Array(heads * capacity * headDim);
  for (let row = 0, at = 0; row < heads * capacity; row++) {
    for (let i = 0; i < headDim; i++, at++) values[at] = read(row, i, at);
  }
  return values;
}

function halfWriter(toBits: (value: number) => number) {
  return ({ headDim }: RowsLayout, stored: Uint8Array<ArrayBuffer>): RowWriter => {
    const out = new Uint16Array(stored.buffer);
    return (row, values) => {
      for (let i = row * headDim; i < (row + 1) * headDim; i++) out[i] = toBits(values[i]!);
    };
  };
}

/** Reads and writes the f16 scales of rows; writing returns the scale as it will be read. */
function scalesOf(layout: RowsLayout, stored: Uint8Array) {
  const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
  const start = scalesStart(layout) * WORD_BYTES;
  const stride = scaleStride(layout);
  const bytesPerRow = rowScaleBytes(layout.type, layout.headDim);
  const at = (row: number, word: number) => {
    const head = Math.floor(row / layout.capacity);
    return start + (head * stride + (row % layout.capacity)) * bytesPerRow + 2 * word;
  };
  return {
    read: (row: number, word: number) => f16Value(view.getUint16(at(row, word), true)),
    write(row: number, word: number, scale: number): number {
      const bits = f16Bits(scale);
      view.setUint16(at(row, word), bits, true);
      return f16Value(bits);
    },
  };
}

function maxAbs(values: ArrayLike<number>, at: number, count: number): number {
  return Math.abs(signedMax(values, at, count));
}

/** The element of the largest magnitude; NaN when there is one. */
function signedMax(values: ArrayLike<number>, at: number, count: number): number {
  let largest = 0;
  for (let i = at; i < at + count; i++) {
    if (Number.isNaN(values[i])) return NaN;
    if (Math.abs(values[i]!) > Math.abs(largest)) largest = values[i]!;
  }
  return largest;
}

/** value / scale as a whole number, ties to even, within +-most; 0 for a scale of 0 or NaN. */
function quantised(value: number, scale: number, most: number): number {
  if (scale === 0 || !Number.isFinite(value / scale)) return 0;
  return Math.max(-most, Math.min(most, roundEven(value / scale)));
}

function roundEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

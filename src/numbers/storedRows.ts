// storedRows.ts: K or V of a layer as a cache's buffer holds it, made and read on the host: rows, then their scales.
import { checkNumbers } from '../device/options.ts';
import {
  KV_RANGES,
  rowScaleBytes,
  rowWords,
  scalesStart,
  scaleStride,
  storedBytes,
  WORD_BYTES,
  type LostElements,
  type RowsLayout,
} from './elements.ts';
import { bf16Bits, bf16Value, bf16Values, f16Bits, f16Values } from './halves.ts';
import { checkBytes, checkLayout, checkValues, type RowValues } from './rowArguments.ts';
import { int4Scale, LEAST_SCALE, scaleFor, stepsOf } from './steps.ts';

/** Counts of lost elements that grow: what `encodeRows` adds to. */
export type LostCounts = { -readonly [kind in keyof LostElements]: number };

/** Counts of nothing. */
export function nothingLost(): LostCounts {
  return { notFinite: 0, saturated: 0, vanished: 0 };
}

/**
 * Bytes for a buffer of K or V of one layer, the same bytes that an append of these values would write. Throws ShapeError
 * for a layout that cannot be, another number of values, or values that are neither a Float32Array nor an array of numbers.
 * @param layout the cache's `layout.k` or `layout.v`
 * @param values [heads, capacity, D], heads being B * Hkv
 * @param lost what the type cannot hold, stored as `LostElements` says, is added to it; default: it is not counted. A loaded
 * cache does not count it again.
 */
export function encodeRows(
  layout: RowsLayout,
  values: RowValues,
  lost: LostCounts = nothingLost(),
): Uint8Array<ArrayBuffer> {
  checkLayout('encodeRows', layout);
  checkValues(values, layout.heads * layout.capacity * layout.headDim);
  checkNumbers('encodeRows: lost', lost, ['notFinite', 'saturated', 'vanished'], 'nothingLost');
  const stored = new Uint8Array(storedBytes(layout));
  const write = ROW_WRITERS[layout.type](layout, stored, lost);
  for (let row = 0; row < layout.heads * layout.capacity; row++) {
    write(row, values.slice(row * layout.headDim, (row + 1) * layout.headDim));
  }
  return stored;
}

/**
 * The values [heads, capacity, D] that a buffer's bytes stand for; the inverse of `encodeRows` but for rounding. Throws
 * ShapeError for a layout that cannot be, another number of bytes, or what is no view of bytes.
 * @param layout the cache's `layout.k` or `layout.v`
 * @param stored all bytes of K or V of a layer, as `readBack` gives them
 */
export function decodeRows(layout: RowsLayout, stored: ArrayBufferView): Float32Array<ArrayBuffer> {
  checkLayout('decodeRows', layout);
  checkBytes(stored, storedBytes(layout));
  // A copy of its own: halves and floats need an aligned one.
  const bytes = Uint8Array.from(new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength));
  return READERS[layout.type](layout, bytes);
}

/** Stores one row's values. */
type RowWriter = (row: number, values: RowValues) => void;

const ROW_WRITERS: Readonly<
  Record<
    RowsLayout['type'],
    (layout: RowsLayout, stored: Uint8Array<ArrayBuffer>, lost: LostCounts) => RowWriter
  >
> = {
  f32: ({ type, headDim }, stored, lost) => {
    const out = new Float32Array(stored.buffer);
    return (row, values) => {
      for (let i = 0; i < headDim; i++) {
        const value = values[i]!;
        out[row * headDim + i] = withinF32(value);
        count(lost, type, value, Math.abs(value) < KV_RANGES.f32.least);
      }
    };
  },
  f16: halfWriter(f16Bits, (_, bits) => (bits & 0x7fff) === 0),
  bf16: halfWriter(bf16Bits, (value) => Math.abs(value) < KV_RANGES.bf16.least),
  int8: (layout, stored, lost) => {
    const scales = scalesOf(layout, stored);
    const bytes = rowWords('int8', layout.headDim) * WORD_BYTES;
    return (row, values) => {
      const { positive, negative } = endsOf(values);
      const bits = scaleFor(Math.max(positive, negative), 127);
      const scale = scales.write(row, 0, bits);
      for (let i = 0; i < layout.headDim; i++) {
        const steps = stepsOf(withinF32(values[i]!), scale);
        stored[row * bytes + i] = steps + 128;
        count(lost, 'int8', values[i]!, steps === 0 && bits === LEAST_SCALE);
      }
    };
  },
  int4: (layout, stored, lost) => {
    const scales = scalesOf(layout, stored);
    const bytes = rowWords('int4', layout.headDim) * WORD_BYTES;
    return (row, values) => {
      for (let from = 0; from < layout.headDim; from += 32) {
        const block = values.slice(from, from + 32);
        const { positive, negative } = endsOf(block);
        const bits = int4Scale(positive, negative);
        const scale = scales.write(row, from / 32, bits);
        for (let i = 0; i < block.length; i++) {
          const steps = stepsOf(withinF32(block[i]!), scale);
          stored[row * bytes + ((from + i) >> 1)]! |= (steps + 8) << (4 * (i & 1));
          count(lost, 'int4', block[i]!, steps === 0 && (bits & 0x7fff) === LEAST_SCALE);
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
    const bytes = rowWords('int8', layout.headDim) * WORD_BYTES;
    return readRows(layout, (row, i) => (stored[row * bytes + i]! - 128) * scales.read(row, 0));
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

/** Values [rows, D] from a function of a row and an element's number in it. */
function readRows(
  { heads, capacity, headDim }: RowsLayout,
  read: (row: number, i: number) => number,
): Float32Array<ArrayBuffer> {
  const values = new Float32Array(heads * capacity * headDim);
  for (let row = 0, at = 0; row < heads * capacity; row++) {
    for (let i = 0; i < headDim; i++, at++) values[at] = read(row, i);
  }
  return values;
}

function halfWriter(toBits: (value: number) => number, vanished: (value: number, bits: number) => boolean) {
  return ({ type, headDim }: RowsLayout, stored: Uint8Array<ArrayBuffer>, lost: LostCounts): RowWriter => {
    const out = new Uint16Array(stored.buffer);
    return (row, values) => {
      for (let i = 0; i < headDim; i++) {
        const bits = toBits(values[i]!);
        out[row * headDim + i] = bits;
        count(lost, type, values[i]!, vanished(values[i]!, bits));
      }
    };
  };
}

/** Counts an element if it is lost; `vanished` need not be right for 0. */
function count(lost: LostCounts, type: RowsLayout['type'], value: number, vanished: boolean): void {
  if (!Number.isFinite(value)) lost.notFinite++;
  else if (Math.abs(value) > KV_RANGES[type].largest) lost.saturated++;
  else if (vanished && value !== 0) lost.vanished++;
}

/** Reads and writes the scales of rows; writing takes bits and returns the scale as it will be read. */
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
    read: (row: number, word: number) => bf16Value(view.getUint16(at(row, word), true)),
    write(row: number, word: number, bits: number): number {
      view.setUint16(at(row, word), bits, true);
      return bf16Value(bits);
    },
  };
}

/** A finite number that f32 cannot hold becomes the largest one; NaN and infinity stay. */
function withinF32(value: number): number {
  const { largest } = KV_RANGES.f32;
  return Number.isFinite(value) ? Math.max(-largest, Math.min(largest, value)) : value;
}

/** The largest magnitudes of elements above zero and below it; NaN when there is one. */
function endsOf(values: RowValues): { positive: number; negative: number } {
  let positive = 0;
  let negative = 0;
  for (let i = 0; i < values.length; i++) {
    positive = Math.max(positive, withinF32(values[i]!));
    negative = Math.max(negative, -withinF32(values[i]!));
  }
  return { positive, negative };
}

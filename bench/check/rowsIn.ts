// rowsIn.ts: rows of a problem in the places and the type that a decoder reads or writes, and back.
import { rowStarts, rowsEnd, rowTypeBytes, type RowPlaces } from '../../src/kernels/rowPlaces.ts';
import { f16Bits, f16Values } from '../../src/numbers/halves.ts';

/** Sizes of dense rows, [B, H, L, dim], and how many positions each sequence has of them. */
export interface DenseRows {
  readonly heads: number;
  readonly qLen: number;
  readonly qLens: readonly number[];
}

/** Dense rows put where `places` says, NaN around them. */
export function placeRows(
  places: RowPlaces,
  rows: DenseRows,
  dense: Float32Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  const placed = new Float32Array(elementsOf(places, rows)).fill(NaN);
  eachRow(places, rows, (from, to) => placed.set(dense.subarray(from, from + places.dim), to));
  if (places.type === 'f32') return new Uint8Array(placed.buffer);
  return new Uint8Array(Uint16Array.from(placed, f16Bits).buffer);
}

/** Bytes of NaN for rows that are still to be written. */
export function unwrittenRows(places: RowPlaces, rows: DenseRows): Uint8Array<ArrayBuffer> {
  return new Uint8Array(elementsOf(places, rows) * rowTypeBytes(places.type)).fill(0xff);
}

/** The rows as dense ones; those of positions that a sequence does not have are NaN. */
export function collectRows(
  places: RowPlaces,
  rows: DenseRows,
  bytes: ArrayBuffer,
): Float32Array<ArrayBuffer> {
  const placed = places.type === 'f32' ? new Float32Array(bytes) : f16Values(new Uint16Array(bytes));
  const dense = new Float32Array(rows.qLens.length * rows.heads * rows.qLen * places.dim).fill(NaN);
  eachRow(places, rows, (to, from) => dense.set(placed.subarray(from, from + places.dim), to));
  return dense;
}

/** Elements of a buffer with room for all positions, which dense rows need exactly. */
function elementsOf(places: RowPlaces, { heads, qLen, qLens }: DenseRows): number {
  return rowsEnd(
    places,
    heads,
    qLens.map(() => qLen),
  );
}

/** Each row that a sequence has: its first element when dense, and in its place. */
function eachRow(
  places: RowPlaces,
  { heads, qLen, qLens }: DenseRows,
  row: (dense: number, placed: number) => void,
): void {
  const starts = rowStarts(places, qLens);
  for (const [b, count] of qLens.entries()) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < count; i++) {
        row(((b * heads + h) * qLen + i) * places.dim, starts[b]! + h * places.head + i * places.position);
      }
    }
  }
}

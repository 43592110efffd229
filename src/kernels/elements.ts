// elements.ts: the element types a KV cache stores, and how many bytes their rows take. Shader side: lib/elements_*.wgsl.

/** Element types of a KV cache. Arithmetic is f32 whatever the storage. */
export type KvType = 'f32' | 'f16' | 'bf16' | 'int8' | 'int4';

export const KV_TYPES: readonly KvType[] = ['f32', 'f16', 'bf16', 'int8', 'int4'];

/** Bits of a stored element, and what has an f16 scale of its own: nothing, a row (a token of a head), or a 16-byte word. */
export interface ElementFormat {
  readonly bits: 4 | 8 | 16 | 32;
  readonly scale: 'none' | 'row' | 'word';
}

export const ELEMENT_FORMATS: Readonly<Record<KvType, ElementFormat>> = {
  f32: { bits: 32, scale: 'none' },
  f16: { bits: 16, scale: 'none' },
  bf16: { bits: 16, scale: 'none' },
  int8: { bits: 8, scale: 'row' },
  int4: { bits: 4, scale: 'word' },
};

/** Bytes of what kernels load at once. Rows and scales are whole words of this size. */
export const WORD_BYTES = 16;

/** Vectors of four elements in a word. */
export function wordVec4s(type: KvType): number {
  return 32 / ELEMENT_FORMATS[type].bits;
}

/** Words of a row: one token of one head. The last one of an int4 row may be part empty. */
export function rowWords(type: KvType, headDim: number): number {
  return Math.ceil((headDim * ELEMENT_FORMATS[type].bits) / 128);
}

/** Bytes that a row's scales take: int8 has one, int4 one per word, in pairs. */
export function rowScaleBytes(type: KvType, headDim: number): number {
  const { scale } = ELEMENT_FORMATS[type];
  if (scale === 'none') return 0;
  return scale === 'row' ? 2 : 4 * Math.ceil(rowWords(type, headDim) / 2);
}

/** Bytes of a row with its scales: what storing or reading one token of one head takes. */
export function rowBytes(type: KvType, headDim: number): number {
  return rowWords(type, headDim) * WORD_BYTES + rowScaleBytes(type, headDim);
}

/** K or V of one layer: `heads` counts the KV heads of all sequences. */
export interface RowsLayout {
  /** Element type of its rows. */
  readonly type: KvType;
  /** D, elements of a row. */
  readonly headDim: number;
  /** B * Hkv. */
  readonly heads: number;
  /** C, rows of each head. */
  readonly capacity: number;
}

/** Where the scales of K or V begin, as an index of words: behind all rows. */
export function scalesStart({ type, headDim, heads, capacity }: RowsLayout): number {
  return heads * capacity * rowWords(type, headDim);
}

/** Bytes of a buffer that holds K or V of one layer: all rows [heads, capacity], then their scales. */
export function storedBytes(layout: RowsLayout): number {
  const { type, headDim, heads, capacity } = layout;
  const scales = heads * scaleStride(layout) * rowScaleBytes(type, headDim);
  const words = heads * capacity * rowWords(type, headDim) + Math.ceil(scales / WORD_BYTES);
  return words * WORD_BYTES;
}

/** Rows from one head's scales to the next's: even where two rows share 32 bits, so that no two heads do. */
export function scaleStride({ type, capacity }: RowsLayout): number {
  return ELEMENT_FORMATS[type].scale === 'row' ? capacity + (capacity % 2) : capacity;
}

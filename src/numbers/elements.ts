// elements.ts: the element types a KV cache stores, their ranges, and how many bytes rows take. Shaders: lib/elements_*.wgsl.

/** Element types of a KV cache. Arithmetic is f32 whatever the storage. */
export type KvType = 'f32' | 'f16' | 'bf16' | 'int8' | 'int4';

export const KV_TYPES: readonly KvType[] = ['f32', 'f16', 'bf16', 'int8', 'int4'];

/** Bits of a stored element, and what has a bf16 scale of its own: nothing, a row (a token of a head), or 16 bytes of it. */
export interface ElementFormat {
  readonly bits: 4 | 8 | 16 | 32;
  readonly scale: 'none' | 'row' | 'block';
}

export const ELEMENT_FORMATS: Readonly<Record<KvType, ElementFormat>> = {
  f32: { bits: 32, scale: 'none' },
  f16: { bits: 16, scale: 'none' },
  bf16: { bits: 16, scale: 'none' },
  int8: { bits: 8, scale: 'row' },
  int4: { bits: 4, scale: 'block' },
};

/** Which finite magnitudes a type holds; arithmetic is f32, so nothing reaches further than that. */
export interface KvRange {
  /** What is larger becomes this: it saturates. */
  readonly largest: number;
  /** From here on a magnitude has the type's full precision; of a quantised type, the largest magnitude of a block has. */
  readonly precise: number;
  /** What is smaller vanishes: it is stored as zero, or, as a subnormal number of f32, may be read as zero. */
  readonly least: number;
}

const LARGEST_F32 = (2 - 2 ** -23) * 2 ** 127;

// Scales are bfloat16 and no smaller than 2^-126; what is below half a step is 0 steps.
export const KV_RANGES: Readonly<Record<KvType, KvRange>> = {
  f32: { largest: LARGEST_F32, precise: 2 ** -126, least: 2 ** -126 },
  f16: { largest: 65504, precise: 2 ** -14, least: 2 ** -25 },
  bf16: { largest: (2 - 2 ** -7) * 2 ** 127, precise: 2 ** -126, least: 2 ** -126 },
  int8: { largest: LARGEST_F32, precise: 127 * 2 ** -126, least: 2 ** -127 },
  int4: { largest: LARGEST_F32, precise: 8 * 2 ** -126, least: 2 ** -127 },
};

/** Elements that a cache's type could not hold, or that are no numbers to begin with. */
export interface LostElements {
  /** NaN and infinity. They stay what they are; in int8 all of their row reads as NaN, in int4 all of their 32 elements. */
  readonly notFinite: number;
  /** Finite, but past the largest number of the type, which they became. */
  readonly saturated: number;
  /** Not zero, but too small for the type. What is small only beside others of its block, and becomes 0 steps, is none of these. */
  readonly vanished: number;
}

/** Bytes of the widest word. Rows and scales are whole words of this size. */
export const WORD_BYTES = 16;

/** Bytes of what an invocation loads at once. */
export type WordBytes = 4 | 8 | 16;

/** Vectors of four elements in a word. */
export function wordVec4s(type: KvType, bytes: WordBytes = WORD_BYTES): number {
  return (2 * bytes) / ELEMENT_FORMATS[type].bits;
}

/** Words of a row: one token of one head. The last ones of int8 and int4 may be empty, for rows are whole words of 16 bytes. */
export function rowWords(type: KvType, headDim: number, bytes: WordBytes = WORD_BYTES): number {
  return Math.ceil((headDim * ELEMENT_FORMATS[type].bits) / 128) * (WORD_BYTES / bytes);
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

/** K or V of one layer: `heads` counts the KV heads of all sequences, in a cache of pages those of a segment. */
export interface RowsLayout {
  /** Element type of its rows. */
  readonly type: KvType;
  /** D, elements of a row. */
  readonly headDim: number;
  /** B * Hkv, or Hkv. */
  readonly heads: number;
  /** C, or the slots of a segment's pages: rows of each head. */
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

/** Where something of each row lies, in bytes: `start` is the first head's, `stride` from head to head. */
export interface HeadSpan {
  readonly start: number;
  readonly stride: number;
  readonly rowBytes: number;
}

/** The first of some rows of each head. In a cache of pages all heads' rows are those of sequence 0, and slots even. */
export interface FirstRow {
  readonly sequence: number;
  readonly slot: number;
}

/** Where the `head`-th of `numKvHeads` heads has it, in bytes. */
export function byteOf(span: HeadSpan, { sequence, slot }: FirstRow, numKvHeads: number, head = 0): number {
  return span.start + (sequence * numKvHeads + head) * span.stride + slot * span.rowBytes;
}

/** Where the rows of each head lie, one behind the other, and their scales. */
export function headSpans(layout: RowsLayout): { readonly rows: HeadSpan; readonly scales: HeadSpan } {
  const { type, headDim, capacity } = layout;
  const [row, scales] = [rowWords(type, headDim) * WORD_BYTES, rowScaleBytes(type, headDim)];
  return {
    rows: { start: 0, stride: capacity * row, rowBytes: row },
    scales: {
      start: scalesStart(layout) * WORD_BYTES,
      stride: scaleStride(layout) * scales,
      rowBytes: scales,
    },
  };
}

/** The types of K and V as one name: `f16`; two that differ by `mixed`, or as in `int8/f16`. */
export function typesName(
  { kType, vType }: { readonly kType: KvType; readonly vType: KvType },
  mixed: (kType: KvType, vType: KvType) => string = (k, v) => `${k}/${v}`,
): string {
  return kType === vType ? kType : mixed(kType, vType);
}

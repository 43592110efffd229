// sequenceRows.ts: the stored bytes of one sequence in a layer's K or V, as tensors: its rows, and their scales.
import {
  byteOf,
  ELEMENT_FORMATS,
  type FirstRow,
  headSpans,
  type HeadSpan,
  type KvType,
  type RowsLayout,
} from '../numbers/elements.ts';

/** Element types of snapshots, by the names of safetensors. */
export type SnapshotDtype = 'F32' | 'F16' | 'BF16' | 'U8';

const DTYPES: Readonly<Record<KvType, SnapshotDtype>> = {
  f32: 'F32',
  f16: 'F16',
  bf16: 'BF16',
  int8: 'U8',
  int4: 'U8',
};

/** Bytes of a segment of a layer's K or V: `kept` of them are the sequence's, the others fill up to a multiple of 4. */
export interface Piece {
  readonly segment: number;
  readonly offset: number;
  readonly size: number;
  readonly kept: number;
}

/** Where slots of a sequence or page begin. */
export interface Slots extends FirstRow {
  readonly segment: number;
}

/** The slots of a sequence of a cache without pages. */
export function ownSlots(b: number): Slots {
  return { sequence: b, slot: 0, segment: 0 };
}

/** The slots of a page. */
export function pageSlots(page: number, { pageSize = 1, segmentPages = 1 }: PageSizes): Slots {
  return { sequence: 0, slot: (page % segmentPages) * pageSize, segment: Math.floor(page / segmentPages) };
}

interface PageSizes {
  readonly pageSize?: number;
  readonly segmentPages?: number;
}

/** Where tokens of a sequence lie: `rows` of them in a row. */
export interface Part extends Slots {
  readonly rows: number;
}

/** Where `kvLen` tokens of a sequence lie: in its own slots, or in its pages, of which those that follow each other are one part. */
export function partsOf(b: number, kvLen: number, pages?: readonly number[], sizes: PageSizes = {}): Part[] {
  if (!pages) return [{ ...ownSlots(b), rows: kvLen }];
  const { pageSize = 1 } = sizes;
  const parts: Part[] = [];
  for (const [i, page] of pages.slice(0, Math.ceil(kvLen / pageSize)).entries()) {
    const slots = pageSlots(page, sizes);
    const rows = Math.min(pageSize, kvLen - i * pageSize);
    const last = parts.at(-1);
    if (last && last.segment === slots.segment && last.slot + last.rows === slots.slot) {
      parts[parts.length - 1] = { ...last, rows: last.rows + rows };
    } else parts.push({ ...slots, rows });
  }
  return parts;
}

/** A tensor to be made of pieces, one after the other: of each head those of all parts. */
export interface SequenceTensor {
  readonly suffix: '' | '_scales';
  readonly dtype: SnapshotDtype;
  /** [Hkv, T, ..]: D elements; of quantised rows, their bytes and their scales. */
  readonly shape: readonly number[];
  readonly pieces: readonly Piece[];
}

/** The tensors of a sequence; `stored` has `numKvHeads` heads for each sequence, or for all pages. */
export function sequenceTensors(
  stored: RowsLayout,
  numKvHeads: number,
  parts: readonly Part[],
): SequenceTensor[] {
  const kvLen = parts.reduce((sum, part) => sum + part.rows, 0);
  const { rows, scales } = headSpans(stored);
  const piecesOf = (span: HeadSpan): Piece[] =>
    Array.from({ length: numKvHeads }, (_, hk) =>
      parts.map((part) => {
        const kept = part.rows * span.rowBytes;
        const offset = byteOf(span, part, numKvHeads, hk);
        return { segment: part.segment, offset, size: Math.ceil(kept / 4) * 4, kept };
      }),
    ).flat();
  const isQuantised = ELEMENT_FORMATS[stored.type].scale !== 'none';
  const shapeOf = (size: number) => [numKvHeads, kvLen, size];
  return [
    {
      suffix: '',
      dtype: DTYPES[stored.type],
      shape: shapeOf(isQuantised ? rows.rowBytes : stored.headDim),
      pieces: piecesOf(rows),
    },
    ...(isQuantised
      ? [
          {
            suffix: '_scales' as const,
            dtype: 'BF16' as const,
            shape: shapeOf(scales.rowBytes / 2),
            pieces: piecesOf(scales),
          },
        ]
      : []),
  ];
}

/** Bytes of a tensor. */
export function tensorBytes({ pieces }: SequenceTensor): number {
  return pieces.reduce((sum, { kept }) => sum + kept, 0);
}

// sequenceRows.ts: the stored bytes of one sequence in a layer's K or V, as tensors: its rows, and their scales.
import {
  ELEMENT_FORMATS,
  headSpans,
  type HeadSpan,
  type KvType,
  type RowsLayout,
} from '../numbers/elements.ts';
import { placeOfHead, type HeadPlace } from './headSegments.ts';
import type { LayerLayout } from './layout.ts';

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

/** Where tokens of a sequence lie: `rows` of them at the beginning of the slots of each of its heads, in its own or in those of a page. */
export interface Part {
  readonly rows: number;
  placeOf(hk: number): HeadPlace;
}

/** Where `kvLen` tokens of a sequence lie in a layer: in its own slots, or in its pages. */
export function partsOf(
  layer: LayerLayout,
  b: number,
  kvLen: number,
  pages?: readonly number[],
  segmentPages = 1,
): Part[] {
  const { numKvHeads, pageSize } = layer;
  if (!pages || pageSize === undefined) {
    return [{ rows: kvLen, placeOf: (hk) => placeOfHead(layer, b, hk) }];
  }
  return pages.slice(0, Math.ceil(kvLen / pageSize)).map((page, i) => ({
    rows: Math.min(pageSize, kvLen - i * pageSize),
    placeOf: (hk) => ({
      segment: Math.floor(page / segmentPages),
      head: (page % segmentPages) * numKvHeads + hk,
    }),
  }));
}

/** A tensor to be made of pieces, one after the other: of each head those of all parts. */
export interface SequenceTensor {
  readonly suffix: '' | '_scales';
  readonly dtype: SnapshotDtype;
  /** [Hkv, T, ..]: D elements; of quantised rows, their bytes and their scales. */
  readonly shape: readonly number[];
  readonly pieces: readonly Piece[];
}

/** The tensors of a sequence, of rows stored like those of a segment. */
export function sequenceTensors(
  stored: RowsLayout,
  numKvHeads: number,
  parts: readonly Part[],
): SequenceTensor[] {
  const kvLen = parts.reduce((sum, part) => sum + part.rows, 0);
  const { rows, scales } = headSpans(stored);
  const piecesOf = ({ start, stride, rowBytes }: HeadSpan): Piece[] =>
    Array.from({ length: numKvHeads }, (_, hk) =>
      parts.map((part) => {
        const kept = part.rows * rowBytes;
        const { segment, head } = part.placeOf(hk);
        return { segment, offset: start + head * stride, size: Math.ceil(kept / 4) * 4, kept };
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

// sequenceRows.ts: the stored bytes of one sequence in a layer's K or V, as tensors: its rows, and their scales.
import {
  byteOf,
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

/** Where slots of a page begin, for each head of a segment. */
export interface PageSlots {
  readonly segment: number;
  readonly slot: number;
}

export function pageSlots(page: number, { pageSize = 1, segmentPages = 1 }: PageSizes): PageSlots {
  return { segment: Math.floor(page / segmentPages), slot: (page % segmentPages) * pageSize };
}

interface PageSizes {
  readonly pageSize?: number;
  readonly segmentPages?: number;
}

/** Where tokens of a sequence lie: `rows` of them in a row, from a slot of each of its heads on. */
export interface Part {
  readonly rows: number;
  placeOf(hk: number): HeadPlace & { readonly slot: number };
}

/** Where `kvLen` tokens of a sequence lie in a layer: in its own slots, or in its pages, of which those that follow each other are one part. */
export function partsOf(
  layer: LayerLayout,
  b: number,
  kvLen: number,
  pages?: readonly number[],
  segmentPages = 1,
): Part[] {
  const { pageSize } = layer;
  if (!pages || pageSize === undefined) {
    return [{ rows: kvLen, placeOf: (hk) => ({ ...placeOfHead(layer, b, hk), slot: 0 }) }];
  }
  return runsOf(pages.slice(0, Math.ceil(kvLen / pageSize)), { pageSize, segmentPages }).map(
    ({ segment, slot, first, count }) => ({
      rows: Math.min((first + count) * pageSize, kvLen) - first * pageSize,
      placeOf: (hk) => ({ segment, head: hk, slot }),
    }),
  );
}

/** `count` pages of a list from the `first` one on, which follow each other in a segment. */
interface PageRun extends PageSlots {
  readonly first: number;
  readonly count: number;
}

function runsOf(pages: readonly number[], sizes: Required<PageSizes>): PageRun[] {
  const runs: PageRun[] = [];
  for (const [i, page] of pages.entries()) {
    const { segment, slot } = pageSlots(page, sizes);
    const last = runs.at(-1);
    if (last && last.segment === segment && last.slot + last.count * sizes.pageSize === slot) {
      runs[runs.length - 1] = { ...last, count: last.count + 1 };
    } else runs.push({ segment, slot, first: i, count: 1 });
  }
  return runs;
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
  const piecesOf = (span: HeadSpan): Piece[] =>
    Array.from({ length: numKvHeads }, (_, hk) =>
      parts.map((part) => {
        const kept = part.rows * span.rowBytes;
        const { segment, head, slot } = part.placeOf(hk);
        const offset = byteOf(span, { sequence: 0, slot }, numKvHeads, head);
        return { segment, offset, size: Math.ceil(kept / 4) * 4, kept };
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

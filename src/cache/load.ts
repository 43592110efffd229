// load.ts: stored bytes from the host in place of a layer's.
import { writeData, type BufferRange, type StorageData } from '../device/buffers.ts';
import { ShapeError } from '../device/errors.ts';
import { checkOptions, checkWhole, type Known } from '../device/options.ts';
import type { GqaDevice } from '../device/gqaDevice.ts';
import { headSpans, storedBytes, type RowsLayout } from '../numbers/elements.ts';
import { headsOf, segmentRows } from './headSegments.ts';
import { checkKvLens, type LayerLayout } from './layout.ts';
import { ADVICE, type CacheParts } from './parts.ts';
import { checkStored } from './stored.ts';

/**
 * Stored bytes for one layer, exactly as many as its K and V have (`encodeRows` gives them; f32 elements may be a
 * Float32Array), and the lengths they are valid for.
 */
export interface LoadArgs {
  /** Layer of the cache, from 0. Default 0. */
  readonly layer?: number;
  /** K, as `encodeRows(layout.k, values)` makes it. */
  readonly k: StorageData;
  /** V, as `encodeRows(layout.v, values)` makes it. */
  readonly v: StorageData;
  /** Tokens that each sequence then holds in this layer: [B], each 0 to the capacity. */
  readonly kvLens: readonly number[];
}

const LOAD_ARGS = { layer: true, k: true, v: true, kvLens: true } satisfies Known<LoadArgs>;

/** `KvCache.load`. */
export function load({ device, layout, layers, lengths, status }: CacheParts, args: LoadArgs): void {
  checkOptions('load', args, LOAD_ARGS);
  if (layout.pageSize !== undefined) {
    throw new ShapeError(
      `load: expected a cache without pages, got one of pages of ${layout.pageSize} tokens: restore() takes snapshots of both`,
    );
  }
  const { layer = 0, k, v, kvLens } = args;
  checkWhole('load: layer', layer, 0, layout.layers - 1);
  if (layout.perLayer[layer]!.ring) {
    throw new ShapeError(
      `load: expected a layer without a ring, got layer ${layer}: append() and restore() fill one`,
    );
  }
  const { batch, capacity, kType, vType } = layout;
  const own = layout.perLayer[layer]!;
  checkKvLens('load', kvLens, batch, capacity);
  checkStored('load: k', k, kType, storedBytes(own.k));
  checkStored('load: v', v, vType, storedBytes(own.v));
  const { segments } = layers[layer]!;
  const to = (ranges: readonly BufferRange[]) => ({ device, layer: own, batch, ranges });
  writeHeads(to(segments.map((segment) => segment.k)), own.k, k);
  writeHeads(to(segments.map((segment) => segment.v)), own.v, v);
  lengths.replace(layer, kvLens);
  status.giveUp([layer]);
  device.advise(ADVICE);
}

/** Segments of a layer's K or V, and what lies in them. */
interface Target {
  readonly device: GqaDevice;
  readonly layer: LayerLayout;
  readonly batch: number;
  readonly ranges: readonly BufferRange[];
}

/** Writes the stored bytes of all heads to where they lie. */
function writeHeads({ device, layer, batch, ranges }: Target, rows: RowsLayout, data: StorageData): void {
  if (layer.segments === 1) {
    writeData(device, ranges[0]!, data);
    return;
  }
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const [all, own] = [headSpans(rows), headSpans(segmentRows(rows, layer))];
  for (const [segment, { buffer, offset }] of ranges.entries()) {
    const { firstSequence, sequences, firstHead, heads } = headsOf(layer, batch, segment);
    const first = firstSequence * layer.numKvHeads + firstHead;
    for (const of of ['rows', 'scales'] as const) {
      const { start, stride } = all[of];
      const [begin, end] = [first, first + sequences * heads].map((head) => start + head * stride);
      if (stride > 0)
        writeData(device, { buffer, offset: offset + own[of].start }, bytes.subarray(begin, end));
    }
  }
}

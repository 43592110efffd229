// load.ts: stored bytes from the host in place of a layer's.
import { writeData, type StorageData } from '../device/buffers.ts';
import { ShapeError } from '../device/errors.ts';
import { checkOptions, checkWhole, type Known } from '../device/options.ts';
import { checkKvLens } from './layout.ts';
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
  const { kBytes, vBytes } = layout.perLayer[layer]!;
  checkKvLens('load', kvLens, batch, capacity);
  checkStored('load: k', k, kType, kBytes);
  checkStored('load: v', v, vType, vBytes);
  writeData(device, layers[layer]!.k, k);
  writeData(device, layers[layer]!.v, v);
  lengths.replace(layer, kvLens);
  status.giveUp([layer]);
  device.advise(ADVICE);
}

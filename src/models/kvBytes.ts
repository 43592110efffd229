// kvBytes.ts: how many bytes a KV cache takes and a decode step reads. Pure arithmetic on whole numbers.
import { ShapeError } from '../device/errors.ts';
import type { ModelShape } from './presets.ts';

/** The part of a model's shape that decides the size of its KV cache. */
export type KvShape = Pick<ModelShape, 'layers' | 'numKvHeads' | 'localLayers' | 'window'>;

/** Bytes of one stored row, a token of one head with its scales: one number for K and V alike, or one for each. */
export type RowBytes = number | { readonly k: number; readonly v: number };

/**
 * Bytes that one more token adds to the cache of one sequence, all layers together: layers * KV heads *
 * (bytes of a K row + bytes of a V row). In a model with local layers this holds until their window is full.
 */
export function kvBytesPerToken(shape: KvShape, bytesPerRow: RowBytes): number {
  return exact(
    'kvBytesPerToken',
    whole('layers', shape.layers, 1) * bytesPerTokenAndLayer(shape, bytesPerRow),
  );
}

/**
 * Bytes of the cache of `batch` sequences of `tokens` tokens each. `windowed`: local layers keep only their window
 * (a ring), which is also what one decode step reads; otherwise they keep every token. A result past 2^53 is a ShapeError.
 */
export function kvCacheBytes(
  shape: KvShape,
  tokens: number,
  batch: number,
  bytesPerRow: RowBytes,
  { windowed }: { readonly windowed: boolean },
): number {
  const layers = whole('layers', shape.layers, 1);
  const all = whole('tokens', tokens, 0);
  const local = windowed ? localLayers(shape) : 0;
  const kept = local > 0 ? Math.min(all, whole('window', shape.window, 1)) : all;
  const rows = exact('kvCacheBytes', (layers - local) * all + local * kept);
  return exact('kvCacheBytes', rows * bytesPerTokenAndLayer(shape, bytesPerRow) * whole('batch', batch, 1));
}

/** Milliseconds that reading `bytes` takes at `gbps` gigabytes (10^9 bytes) per second: no decode step is faster. */
export function readFloorMs(bytes: number, gbps: number): number {
  if (!(gbps > 0)) throw new ShapeError(`readFloorMs: gbps expected a number above 0, got ${gbps}`);
  return bytes / (gbps * 1e6);
}

/** The same model with another number of KV heads, as the two ends of the spectrum and as it is. */
export type Variant = 'mha' | 'gqa' | 'mqa';

/** One line of the comparison: a KV head count at a depth. */
export interface KvRow {
  readonly variant: Variant;
  /** True for the KV heads the model really has. */
  readonly configured: boolean;
  readonly numKvHeads: number;
  readonly depth: number;
  readonly bytesPerToken: number;
  /** Cache of the whole batch, local layers keeping only their window. */
  readonly cacheBytes: number;
  /** The same if local layers kept every token; equal to `cacheBytes` in a model without them. */
  readonly fullBytes: number;
  /** How many sequences of this depth fit in the memory asked for. */
  readonly sequences: number;
  /** Least time of one decode step of the whole batch, in ms; present when a bandwidth was given. */
  readonly readFloorMs?: number;
}

/** What `kvRows` is asked: one row for each variant and depth. */
export interface KvRequest {
  readonly depths: readonly number[];
  readonly batch: number;
  readonly bytesPerRow: RowBytes;
  readonly memoryBytes: number;
  readonly gbps?: number;
}

/** Cache sizes with all, the configured and one KV head, at each depth. A model that is MHA or MQA already has two variants. */
export function kvRows(shape: ModelShape, request: KvRequest): KvRow[] {
  return request.depths.flatMap((depth) =>
    variantsOf(shape).map(({ variant, numKvHeads }) => {
      const varied = { ...shape, numKvHeads };
      const bytes = (batch: number, windowed: boolean) =>
        kvCacheBytes(varied, whole('depth', depth, 1), batch, request.bytesPerRow, { windowed });
      const cacheBytes = bytes(request.batch, true);
      return {
        variant,
        configured: numKvHeads === shape.numKvHeads,
        numKvHeads,
        depth,
        bytesPerToken: kvBytesPerToken(varied, request.bytesPerRow),
        cacheBytes,
        fullBytes: bytes(request.batch, false),
        sequences: Math.floor(request.memoryBytes / bytes(1, true)),
        ...(request.gbps !== undefined && { readFloorMs: readFloorMs(cacheBytes, request.gbps) }),
      };
    }),
  );
}

function variantsOf({ numQHeads, numKvHeads }: ModelShape): { variant: Variant; numKvHeads: number }[] {
  const heads = [...new Set([numQHeads, numKvHeads, 1])];
  return heads.map((n) => ({ variant: n === numQHeads ? 'mha' : n === 1 ? 'mqa' : 'gqa', numKvHeads: n }));
}

/** Layers that keep only a window; checked to be no more than there are layers. */
function localLayers(shape: KvShape): number {
  const local = whole('localLayers', shape.localLayers ?? 0, 0);
  if (local > shape.layers) {
    throw new ShapeError(`kvBytes: localLayers expected at most ${shape.layers} (layers), got ${local}`);
  }
  return local;
}

function bytesPerTokenAndLayer(shape: KvShape, bytesPerRow: RowBytes): number {
  const { k, v } = typeof bytesPerRow === 'number' ? { k: bytesPerRow, v: bytesPerRow } : bytesPerRow;
  return whole('numKvHeads', shape.numKvHeads, 1) * (whole('bytesPerRow', k, 1) + whole('bytesPerRow', v, 1));
}

function whole(what: string, value: number | undefined, min: number): number {
  if (value === undefined || !Number.isSafeInteger(value) || value < min) {
    throw new ShapeError(`kvBytes: ${what} expected a whole number of at least ${min}, got ${value}`);
  }
  return value;
}

/** Products of whole numbers are exact up to 2^53; past it they are refused rather than rounded. */
function exact(where: string, bytes: number): number {
  if (!Number.isSafeInteger(bytes)) {
    throw new ShapeError(`${where}: expected fewer than 2^53 bytes, got about ${bytes.toPrecision(3)}`);
  }
  return bytes;
}

// kvBytes.ts: how many bytes a KV cache takes and a decode step reads. Pure arithmetic on whole numbers.
import { ShapeError, wholeText } from '../device/errors.ts';
import { checkOneOf } from '../device/options.ts';
import { KV_TYPES, rowBytes as bytesOfRow, type KvType } from '../numbers/elements.ts';
import { keepsKv, withKvHeads, type KvLayers } from './kvLayers.ts';
import type { ModelShape } from './presets.ts';

/** Bytes of the rows that one head stores of a token, scales included, by the elements of a head. */
export type RowBytes = (headDim: number) => { readonly k: number; readonly v: number };

/** Rows as a cache of these element types stores them: `kType` of K, `vType` of V. */
export function storedRows(kType: KvType, vType: KvType = kType): RowBytes {
  checkOneOf('storedRows: kType', kType, KV_TYPES);
  checkOneOf('storedRows: vType', vType, KV_TYPES);
  return (headDim) => ({ k: bytesOfRow(kType, headDim), v: bytesOfRow(vType, headDim) });
}

/** Rows of elements of two bytes each. */
export const halves: RowBytes = (headDim) => ({ k: 2 * headDim, v: 2 * headDim });

/**
 * Bytes that one more token adds to the cache of one sequence: over all layers that have one, KV heads * (bytes of a K
 * row + bytes of a V row). In a model with local layers this holds until their window is full.
 */
export function kvBytesPerToken(layers: readonly KvLayers[], rowBytes: RowBytes): number {
  return sum('kvBytesPerToken', layers, (group) =>
    group.kind === 'cross' ? 0 : bytesPerToken(group, rowBytes),
  );
}

/**
 * Bytes of the cache of `batch` sequences of `tokens` tokens each. `windowed`: local layers keep only their window (a
 * ring), and chunked ones the current chunk, which is also what one decode step reads; otherwise they keep every token.
 * Cross-attention counts with the tokens of the encoder where they are known. A result past 2^53 is a ShapeError.
 */
export function kvCacheBytes(
  layers: readonly KvLayers[],
  tokens: number,
  batch: number,
  rowBytes: RowBytes,
  { windowed }: { readonly windowed: boolean },
): number {
  const all = whole('tokens', tokens, 0);
  const sequence = sum(
    'kvCacheBytes',
    layers,
    (group) => bytesPerToken(group, rowBytes) * keptTokens(group, all, windowed),
  );
  return exact('kvCacheBytes', sequence * whole('batch', batch, 1));
}

/** Bytes that one token of the encoder adds to the caches of cross-attention, of one sequence. */
export function crossBytesPerToken(layers: readonly KvLayers[], rowBytes: RowBytes): number {
  return sum('crossBytesPerToken', layers, (group) =>
    group.kind === 'cross' ? bytesPerToken(group, rowBytes) : 0,
  );
}

function keptTokens({ kind, window }: KvLayers, tokens: number, windowed: boolean): number {
  if (kind === 'cross') return window ?? 0;
  const limit = kind === 'local' || kind === 'chunked' ? whole('window', window, 1) : Infinity;
  return windowed ? Math.min(tokens, limit) : tokens;
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
  /** The most of any layer, in a model whose layers differ. */
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
  readonly rowBytes: RowBytes;
  readonly memoryBytes: number;
  readonly gbps?: number;
}

/** Cache sizes with all, the configured and one KV head, at each depth. A model that is MHA or MQA already has two variants. */
export function kvRows(shape: ModelShape, request: KvRequest): KvRow[] {
  return request.depths.flatMap((depth) =>
    variantsOf(shape).map(({ variant, numKvHeads }) => {
      const configured = numKvHeads === shape.numKvHeads;
      const layers = configured ? shape.kvLayers : withKvHeads(shape.kvLayers, numKvHeads);
      const bytes = (batch: number, windowed: boolean) =>
        kvCacheBytes(layers, whole('depth', depth, 1), batch, request.rowBytes, { windowed });
      const cacheBytes = bytes(request.batch, true);
      return {
        variant,
        configured,
        numKvHeads,
        depth,
        bytesPerToken: kvBytesPerToken(layers, request.rowBytes),
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

/** Bytes of a token in all layers of a group. */
function bytesPerToken(group: KvLayers, rowBytes: RowBytes): number {
  const count = whole('count', group.count, 1);
  if (!keepsKv(group)) return 0;
  const { k, v } = rowBytes(whole('headDim', group.headDim, 1));
  const heads = whole('numKvHeads', group.numKvHeads, 1);
  return count * heads * (whole('rowBytes', k, 1) + whole('rowBytes', v, 1));
}

function sum(where: string, layers: readonly KvLayers[], bytes: (group: KvLayers) => number): number {
  return layers.reduce((total, group) => exact(where, total + exact(where, bytes(group))), 0);
}

function whole(what: string, value: number | undefined, min: number): number {
  if (value === undefined || !Number.isSafeInteger(value) || value < min) {
    throw new ShapeError(`kvBytes: ${what} expected ${wholeText(min, undefined, value)}, got ${value}`);
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

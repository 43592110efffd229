// kvBytes.ts: how many bytes a KV cache takes and a decode step reads. Pure arithmetic on whole numbers.
import { ShapeError } from '../device/errors.ts';
import {
  checkBoolean,
  checkFinite,
  checkFunction,
  checkOneOf,
  checkOptions,
  checkWhole,
  describe,
} from '../device/options.ts';
import { KV_TYPES, rowBytes as bytesOfRow, type KvType } from '../numbers/elements.ts';
import { checkKvLayers, keepsKv, withKvHeads, type KvLayers } from './kvLayers.ts';
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
  return sum('kvBytesPerToken', { layers, rowBytes }, ({ kind }) => (kind === 'cross' ? 0 : 1));
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
  options: { readonly windowed: boolean },
): number {
  checkWhole('kvCacheBytes: tokens', tokens, 0, MOST);
  checkWhole('kvCacheBytes: batch', batch, 1, MOST);
  checkOptions('kvCacheBytes', options, { windowed: true });
  const { windowed } = options;
  checkBoolean('kvCacheBytes: windowed', windowed);
  const sequence = sum('kvCacheBytes', { layers, rowBytes }, (group) => keptTokens(group, tokens, windowed));
  return exact('kvCacheBytes', sequence * batch);
}

/** Bytes that one token of the encoder adds to the caches of cross-attention, of one sequence. */
export function crossBytesPerToken(layers: readonly KvLayers[], rowBytes: RowBytes): number {
  return sum('crossBytesPerToken', { layers, rowBytes }, ({ kind }) => (kind === 'cross' ? 1 : 0));
}

function keptTokens({ kind, window }: KvLayers, tokens: number, windowed: boolean): number {
  if (kind === 'cross') return window ?? 0;
  return windowed ? Math.min(tokens, window ?? Infinity) : tokens;
}

/** Milliseconds that reading `bytes` takes at `gbps` gigabytes (10^9 bytes) per second: no decode step is faster. */
export function readFloorMs(bytes: number, gbps: number): number {
  checkFinite('readFloorMs: bytes', bytes, 0);
  if (!Number.isFinite(gbps) || gbps <= 0) {
    throw new ShapeError(`readFloorMs: gbps: expected a number above 0, got ${describe(gbps)}`);
  }
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
  for (const depth of request.depths) checkWhole('kvRows: depth', depth, 1, MOST);
  return request.depths.flatMap((depth) =>
    variantsOf(shape).map(({ variant, numKvHeads }) => {
      const configured = numKvHeads === shape.numKvHeads;
      const layers = configured ? shape.kvLayers : withKvHeads(shape.kvLayers, numKvHeads);
      const bytes = (batch: number, windowed: boolean) =>
        kvCacheBytes(layers, depth, batch, request.rowBytes, { windowed });
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

const MOST = Number.MAX_SAFE_INTEGER;

/** Layers, and what their rows take. */
interface Rows {
  readonly layers: readonly KvLayers[];
  readonly rowBytes: RowBytes;
}

/** Bytes of the layers' caches, of as many tokens as `tokensOf` says. */
function sum(where: string, { layers, rowBytes }: Rows, tokensOf: (group: KvLayers) => number): number {
  checkKvLayers(where, layers);
  checkFunction(`${where}: rowBytes`, rowBytes);
  return layers.reduce((total, group) => {
    const bytes = keepsKv(group) ? bytesPerToken(where, group, rowBytes) * tokensOf(group) : 0;
    return exact(where, total + exact(where, bytes));
  }, 0);
}

/** Bytes of a token in all layers of a group. */
function bytesPerToken(where: string, { count, numKvHeads, headDim }: KvLayers, rowBytes: RowBytes): number {
  const row = rowBytes(headDim);
  checkOptions(`${where}: rowBytes(${headDim})`, row, { k: true, v: true });
  checkWhole(`${where}: rowBytes(${headDim}).k`, row.k, 1, MOST);
  checkWhole(`${where}: rowBytes(${headDim}).v`, row.v, 1, MOST);
  return count * numKvHeads * (row.k + row.v);
}

/** Products of whole numbers are exact up to 2^53; past it they are refused rather than rounded. */
function exact(where: string, bytes: number): number {
  if (!Number.isSafeInteger(bytes)) {
    throw new ShapeError(`${where}: expected fewer than 2^53 bytes, got about ${bytes.toPrecision(3)}`);
  }
  return bytes;
}

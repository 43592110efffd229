// fits.ts: whether a row's cache fits the adapter, and what would fit instead. No DOM.
import { KV_TYPES, cacheLayout, type BufferLimits, type KvType } from '../../src/index.ts';
import { formatBytes } from '../../bench/text/format.ts';
import type { RowParams } from '../../bench/schema/schema.ts';

/** What rows are measured on. */
export interface Place {
  readonly software: boolean;
  readonly limits: BufferLimits;
}

/** Why a row cannot be here, and what could; numbers of what is left out would not help. */
export interface Misfit {
  readonly what: 'K' | 'V';
  readonly bytes: number;
  readonly most: number;
  /** The longest context that fits, in round numbers. */
  readonly depth?: number;
  /** Cache types that fit, for K and V. */
  readonly types: readonly KvType[];
}

/** The limits of an adapter, a device or a result that a cache's size meets; one that is not named is none. */
export function limitsOf(limits: {
  readonly [name in 'maxStorageBufferBindingSize' | 'maxBufferSize']?: number;
}): BufferLimits {
  const { maxStorageBufferBindingSize = Infinity, maxBufferSize = Infinity } = limits;
  return { maxBindingBytes: maxStorageBufferBindingSize, maxBufferBytes: maxBufferSize };
}

/** Undefined for a row that fits, as one with pages always does: pages are spread over several buffers, and so are KV heads. */
export function misfitOf(params: RowParams, limits: BufferLimits): Misfit | undefined {
  if (params.pageSize !== undefined) return undefined;
  const most = Math.min(limits.maxBindingBytes, limits.maxBufferBytes);
  const { what, bytes } = largest(params);
  if (bytes <= most) return undefined;
  const fits = (other: Partial<RowParams>) => largest({ ...params, ...other }).bytes <= most;
  const depth = roundDown(Math.floor((params.capacity * most) / bytes));
  return {
    what,
    bytes,
    most,
    ...(depth > 0 && fits({ capacity: depth }) && { depth }),
    types: KV_TYPES.filter((type) => fits({ kType: type, vType: type })),
  };
}

/** The larger of K and V of one KV head of a sequence. */
function largest({ headDim, capacity, kType, vType }: RowParams): Pick<Misfit, 'what' | 'bytes'> {
  const { kBytes, vBytes } = cacheLayout({ numKvHeads: 1, headDim, capacity, kType, vType });
  return kBytes >= vBytes ? { what: 'K', bytes: kBytes } : { what: 'V', bytes: vBytes };
}

/** Tokens in round numbers: thousands of 1,024 where there are some. */
function roundDown(tokens: number): number {
  return tokens < 1024 ? tokens : tokens - (tokens % 1024);
}

/** "K of one KV head takes 1 GiB, and a buffer here holds 128 MiB". */
export function misfitReason({ what, bytes, most }: Misfit): string {
  return `${what} of one KV head takes ${formatBytes(bytes)}, and a buffer here holds ${formatBytes(most)}`;
}

/** "What fits: a context of up to 16,384 tokens, or a cache of int8 or int4." */
export function misfitCure({ depth, types }: Misfit): string {
  const ways = [
    ...(depth === undefined ? [] : [`a context of up to ${depth.toLocaleString('en-US')} tokens`]),
    ...(types.length === 0 ? [] : [`a cache of ${types.join(' or ')}`]),
  ];
  return ways.length === 0 ? 'Nothing near it fits.' : `What fits: ${ways.join(', or ')}.`;
}

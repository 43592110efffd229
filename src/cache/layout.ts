// layout.ts: where everything lies in a KV cache and how many bytes it takes; pure, before anything is allocated.
import { checkNumbers, checkOneOf, checkOptions, checkWhole, type Known } from '../device/options.ts';
import { KV_TYPES, type KvType } from '../numbers/elements.ts';
import { checkKvLens } from '../numbers/kvLens.ts';
import { checkFormat, type CacheFormat } from '../kernels/lib.ts';
import {
  checkLayer,
  checkLimits,
  layersOf,
  layoutsOf,
  spreadOver,
  type BufferLimits,
  type LayerLayout,
  type LayerOptions,
} from './layerShapes.ts';
import { poolOf, type PageTableOwner, type PoolOptions } from './pagePool.ts';
import { ringLayout, type RingLayout, type RingOptions } from './rings.ts';
import { MAX_BATCH } from '../kernels/shape.ts';

export { checkKvLens } from '../numbers/kvLens.ts';
export type { BufferLimits, LayerLayout, LayerOptions } from './layerShapes.ts';

/** What a cache is made for. Each layer is HND: K [B, Hkv, capacity, D] and V [B, Hkv, capacity, Dv]. */
export interface CacheOptions extends PoolOptions {
  /** B, sequences, 1 to 4096. Default 1. */
  readonly batch?: number;
  /** Hkv, KV heads, 1 to 1024. */
  readonly numKvHeads: number;
  /** D, elements of a key and, unless `vHeadDim` says otherwise, of a value: a multiple of 8 from 8 to 512. */
  readonly headDim: number;
  /** Dv, elements of a value: a multiple of 8 from 8 to 512. Default D. */
  readonly vHeadDim?: number;
  /**
   * C, token slots per sequence and head, 1 to 2^24; apart from the lengths, which say how many of them hold a token. In a layer
   * with a ring the most tokens that a sequence may come to, which take no memory.
   */
  readonly capacity: number;
  /** Slots for a sliding window alone, in all layers that have no ring of their own; not in a cache of pages. Default: a slot for each token. */
  readonly ring?: RingOptions;
  /** Layers, 1 to 8192, or a list of them where their shapes differ. Default 1. */
  readonly layers?: number | readonly LayerOptions[];
  /** Element type of K. Default f32. */
  readonly kType?: KvType;
  /** Element type of V. Default that of K. */
  readonly vType?: KvType;
}

/** The fields of CacheOptions. */
export const CACHE_OPTIONS = {
  batch: true,
  numKvHeads: true,
  headDim: true,
  vHeadDim: true,
  capacity: true,
  pageSize: true,
  pages: true,
  pageTables: true,
  ring: true,
  layers: true,
  kType: true,
  vType: true,
} satisfies Known<CacheOptions>;

/** A checked layout with exact byte counts. The fields of LayerLayout are those of layers that have no shape of their own. */
export interface CacheLayout extends CacheFormat, LayerLayout {
  readonly batch: number;
  readonly capacity: number;
  readonly ring?: RingLayout;
  readonly segments: number;
  /** Pages of each layer; absent where each sequence has slots of its own. */
  readonly pages?: number;
  readonly pageTables?: PageTableOwner;
  /** Pages of a segment. */
  readonly segmentPages?: number;
  readonly layers: number;
  /** The layout of each layer; layers of one shape have one object. */
  readonly perLayer: readonly LayerLayout[];
  /**
   * Bytes of all layers. Buffers that layers share take up to 240 bytes more for each layer, so that the next one begins at a
   * multiple of 256.
   */
  readonly totalBytes: number;
}

const MAX_CAPACITY = 2 ** 24;

/**
 * Checks cache options and counts their bytes; needs no device. Throws ShapeError naming the field, what it must be and what was given.
 * @param limits `GqaDevice.facts`: pages or KV heads that take more than a binding may have are spread over several; default: no limits
 */
export function cacheLayout(options: CacheOptions, limits?: BufferLimits): CacheLayout {
  checkOptions('cache', options, CACHE_OPTIONS);
  if (limits !== undefined) checkLimits(limits);
  const { batch = 1, numKvHeads, headDim, vHeadDim = headDim, capacity, layers = 1 } = options;
  const { kType = 'f32', vType = kType } = options;
  checkWhole('cache: batch', batch, 1, MAX_BATCH);
  checkLayer('cache', { numKvHeads, headDim, vHeadDim });
  checkWhole('cache: capacity', capacity, 1, MAX_CAPACITY);
  const pool = poolOf(options, batch, capacity);
  checkOneOf('cache: kType', kType, KV_TYPES);
  checkOneOf('cache: vType', vType, KV_TYPES);
  const sizes = { capacity, ...pool };
  const { ring } = options;
  const types = { kType, vType };
  const shape = {
    numKvHeads,
    headDim,
    vHeadDim,
    ...(ring !== undefined && { ring: ringLayout('cache: ring', ring, sizes) }),
  };
  const shapes = layersOf(layers, shape, sizes);
  const spread = pool && limits ? spreadOver(pool, limits, [shape, ...shapes], types) : pool;
  const layoutOf = layoutsOf({ batch, capacity, ...types }, spread, limits);
  const perLayer = shapes.map(layoutOf);
  const totalBytes = perLayer.reduce((sum, { kBytes, vBytes }) => sum + kBytes + vBytes, 0);
  const counts = { batch, capacity, ...spread, layers: perLayer.length };
  return { ...counts, kType, vType, ...layoutOf(shape), perLayer, totalBytes };
}

/** Slots of a sequence of so many tokens that hold one, in a layer without pages; they are the first ones. */
export function slotsOf({ ring }: LayerLayout, kvLen: number): number {
  return ring ? Math.min(kvLen, ring.slots) : kvLen;
}

/**
 * The layout of a cache all of whose layers have the shape of one: for what is asked of a layer, as the bytes that a step reads.
 * @param layer from 0
 */
export function layoutOfLayer(layout: CacheLayout, layer: number): CacheLayout {
  checkCacheLayout('layoutOfLayer: layout', layout);
  checkWhole('layoutOfLayer: layer', layer, 0, layout.layers - 1);
  const own = layout.perLayer[layer]!;
  const perLayer = layout.perLayer.map(() => own);
  return { ...layout, ...own, perLayer, totalBytes: layout.layers * (own.kBytes + own.vBytes) };
}

/**
 * Bytes of K and V that one step has to read in one layer, each counted once.
 * @param layout the cache's `layout`
 * @param kvLens keys that each sequence attends to: [B], each 0 to the capacity
 */
export function kvBytesRead(layout: CacheLayout, kvLens: readonly number[]): number {
  checkCacheLayout('kvBytesRead: layout', layout);
  checkKvLens('kvBytesRead', kvLens, layout.batch, layout.capacity);
  return bytesOfTokens(layout, kvLens);
}

/** The same for arguments that were checked. */
export function bytesOfTokens(layout: CacheLayout, kvLens: readonly number[]): number {
  return kvLens.reduce((sum, kvLen) => sum + kvLen, 0) * layout.bytesPerToken;
}

/** Throws ShapeError unless this is what `cacheLayout` returned. */
export function checkCacheLayout(where: string, layout: CacheLayout): void {
  checkNumbers(where, layout, LAYOUT_NUMBERS, 'cacheLayout');
  checkFormat(where, layout);
}

const LAYOUT_NUMBERS = [
  'batch',
  'numKvHeads',
  'headDim',
  'vHeadDim',
  'capacity',
  'layers',
  'segments',
  'segmentHeads',
  'kScales',
  'vScales',
  'bytesPerToken',
] as const satisfies readonly (keyof CacheLayout)[];

// layout.ts: where everything lies in a KV cache and how many bytes it takes; pure, before anything is allocated.
import { checkNumbers, checkOneOf, checkOptions, checkWhole, type Known } from '../device/options.ts';
import {
  KV_TYPES,
  rowBytes,
  scalesStart,
  storedBytes,
  type KvType,
  type RowsLayout,
} from '../numbers/elements.ts';
import { checkKvLens } from '../numbers/kvLens.ts';
import { checkFormat, type CacheFormat } from '../kernels/lib.ts';
import { poolOf, type PageTableOwner, type PoolOptions } from './pagePool.ts';
import { ringLayout, ringText, type RingLayout, type RingOptions } from './rings.ts';
import { checkHeadDims, MAX_BATCH, MAX_HEADS, type HeadDims } from '../kernels/shape.ts';

export { checkKvLens } from '../numbers/kvLens.ts';

/** What a layer has of its own; what is left out is the cache's. */
export interface LayerOptions {
  /** Hkv, KV heads, 1 to 1024. Default: the cache's. */
  readonly numKvHeads?: number;
  /** D, elements of a key and, unless `vHeadDim` says otherwise, of a value. Default: the cache's. */
  readonly headDim?: number;
  /** Dv, elements of a value. Default: the layer's own `headDim`, else the cache's `vHeadDim`. */
  readonly vHeadDim?: number;
  /** Slots for a sliding window alone. Default: the cache's ring, or a slot for each token. */
  readonly ring?: RingOptions;
}

const LAYER_OPTIONS = {
  numKvHeads: true,
  headDim: true,
  vHeadDim: true,
  ring: true,
} satisfies Known<LayerOptions>;

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

/** The shape of a layer, with exact byte counts. */
export interface LayerLayout extends HeadDims {
  readonly numKvHeads: number;
  /** Absent where each token has a slot. */
  readonly ring?: RingLayout;
  /** Rows of its K and of its V, for `encodeRows` and `decodeRows`. */
  readonly k: RowsLayout;
  readonly v: RowsLayout;
  /** Where the scales of K and of V begin, as an index of 16-byte words; past the end where there are none. */
  readonly kScales: number;
  readonly vScales: number;
  /** Bytes of its K and of its V, scales included. */
  readonly kBytes: number;
  readonly vBytes: number;
  /** Bytes one token of one sequence takes, K and V with their scales. */
  readonly bytesPerToken: number;
}

/** A checked layout with exact byte counts. The fields of LayerLayout are those of layers that have no shape of their own. */
export interface CacheLayout extends CacheFormat, LayerLayout {
  readonly batch: number;
  readonly capacity: number;
  readonly ring?: RingLayout;
  /** Tokens of a page, and pages of each layer; absent where each sequence has slots of its own. */
  readonly pageSize?: number;
  readonly pages?: number;
  readonly pageTables?: PageTableOwner;
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

/** Most layers of a cache. No model has nearly as many; a benchmark keeps copies of a small one as layers. */
const MAX_LAYERS = 8192;

/** Checks cache options and counts their bytes; needs no device. Throws ShapeError naming the field, what it must be and what was given. */
export function cacheLayout(options: CacheOptions): CacheLayout {
  checkOptions('cache', options, CACHE_OPTIONS);
  const { batch = 1, numKvHeads, headDim, vHeadDim = headDim, capacity, layers = 1 } = options;
  const { kType = 'f32', vType = kType } = options;
  checkWhole('cache: batch', batch, 1, MAX_BATCH);
  checkLayer('cache', { numKvHeads, headDim, vHeadDim });
  checkWhole('cache: capacity', capacity, 1, MAX_CAPACITY);
  const pool = poolOf(options, batch, capacity);
  checkOneOf('cache: kType', kType, KV_TYPES);
  checkOneOf('cache: vType', vType, KV_TYPES);
  const slots = pool ? { parts: pool.pages, each: pool.pageSize } : { parts: batch, each: capacity };
  const known = new Map<string, LayerLayout>();
  const layoutOf = ({ ring, ...shape }: LayerShape): LayerLayout => {
    const key = `${shape.numKvHeads} of ${shape.headDim} and ${shape.vHeadDim}, ${ringText(ring)}`;
    const own = ring ? { parts: batch, each: ring.slots } : slots;
    const layout = known.get(key) ?? { ...layerLayout(shape, own, { kType, vType }), ...(ring && { ring }) };
    known.set(key, layout);
    return layout;
  };
  const sizes = { capacity, ...pool };
  const { ring } = options;
  const shape = {
    numKvHeads,
    headDim,
    vHeadDim,
    ...(ring !== undefined && { ring: ringLayout('cache: ring', ring, sizes) }),
  };
  const layer = layoutOf(shape);
  const perLayer = layersOf(layers, shape, sizes).map(layoutOf);
  const totalBytes = perLayer.reduce((sum, { kBytes, vBytes }) => sum + kBytes + vBytes, 0);
  const counts = { batch, capacity, ...pool, layers: perLayer.length };
  return { ...counts, kType, vType, ...layer, perLayer, totalBytes };
}

/** Slots of a sequence of so many tokens that hold one, in a layer without pages; they are the first ones. */
export function slotsOf({ ring }: LayerLayout, kvLen: number): number {
  return ring ? Math.min(kvLen, ring.slots) : kvLen;
}

/** The heads of a layer, and its ring. */
interface LayerShape extends HeadDims {
  readonly numKvHeads: number;
  readonly ring?: RingLayout;
}

/** The shapes of all layers. */
function layersOf(
  layers: number | readonly LayerOptions[],
  shape: LayerShape,
  sizes: Parameters<typeof ringLayout>[2],
): LayerShape[] {
  if (!isList(layers)) {
    checkWhole('cache: layers', layers, 1, MAX_LAYERS);
    return Array.from({ length: layers }, () => shape);
  }
  checkWhole('cache: layers: length', layers.length, 1, MAX_LAYERS);
  return Array.from(layers, (options, layer) => {
    const where = `cache: layers[${layer}]`;
    checkOptions(where, options, LAYER_OPTIONS);
    const { numKvHeads = shape.numKvHeads, headDim = shape.headDim } = options;
    const { vHeadDim = options.headDim ?? shape.vHeadDim } = options;
    checkLayer(where, { numKvHeads, headDim, vHeadDim });
    const { ring: own } = options;
    const ring = own === undefined ? shape.ring : ringLayout(`${where}: ring`, own, sizes);
    return { numKvHeads, headDim, vHeadDim, ...(ring && { ring }) };
  });
}

function isList(layers: number | readonly LayerOptions[]): layers is readonly LayerOptions[] {
  return Array.isArray(layers);
}

function checkLayer(where: string, { numKvHeads, ...dims }: Omit<LayerShape, 'ring'>): void {
  checkWhole(`${where}: numKvHeads`, numKvHeads, 1, MAX_HEADS);
  checkHeadDims(where, dims);
}

/** A page is to a cache of pages what a sequence is to one without: slots of all heads. */
interface Slots {
  readonly parts: number;
  readonly each: number;
}

function layerLayout(
  { numKvHeads, headDim, vHeadDim }: Omit<LayerShape, 'ring'>,
  { parts, each }: Slots,
  { kType, vType }: Pick<CacheLayout, 'kType' | 'vType'>,
): LayerLayout {
  const k: RowsLayout = { type: kType, headDim, heads: parts * numKvHeads, capacity: each };
  const v: RowsLayout = { ...k, type: vType, headDim: vHeadDim };
  return {
    numKvHeads,
    headDim,
    vHeadDim,
    k,
    v,
    kScales: scalesStart(k),
    vScales: scalesStart(v),
    kBytes: storedBytes(k),
    vBytes: storedBytes(v),
    bytesPerToken: numKvHeads * (rowBytes(kType, headDim) + rowBytes(vType, vHeadDim)),
  };
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
  'kScales',
  'vScales',
  'bytesPerToken',
] as const satisfies readonly (keyof CacheLayout)[];

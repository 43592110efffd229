// layerShapes.ts: the shapes of a cache's layers, each with the bytes that it takes; pure.
import type { DeviceFacts } from '../device/deviceFacts.ts';
import { checkNumbers, checkOptions, checkWhole, type Known } from '../device/options.ts';
import { checkHeadDims, MAX_HEADS, type HeadDims } from '../kernels/shape.ts';
import { rowBytes, scalesStart, storedBytes, type KvType, type RowsLayout } from '../numbers/elements.ts';
import { segmentRows, spreadHeads, type HeadSpread } from './headSegments.ts';
import { segmented, type PagePool } from './pagePool.ts';
import { ringLayout, ringText, type RingLayout, type RingOptions } from './rings.ts';

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

/** Most layers of a cache. No model has nearly as many; a benchmark keeps copies of a small one as layers. */
const MAX_LAYERS = 8192;

/** The shape of a layer, with exact byte counts. */
export interface LayerLayout extends HeadDims {
  readonly numKvHeads: number;
  /** Bindings that its K, or its V, is spread over: by pages, the same in all layers, or where there are none by KV heads. */
  readonly segments: number;
  /** KV heads of each, counted over all its sequences: of whole ones, or of a part of one. Each has a segment's pages. */
  readonly segmentHeads: number;
  /** Absent where each token has a slot. */
  readonly ring?: RingLayout;
  /** Tokens of a page, the same in all layers; absent where each sequence has slots of its own. */
  readonly pageSize?: number;
  /** Rows of its K and of its V, for `encodeRows` and `decodeRows`; in a cache of pages those of a segment. */
  readonly k: RowsLayout;
  readonly v: RowsLayout;
  /** Where the scales of K and of V begin in a segment, as an index of 16-byte words; past the end where there are none. */
  readonly kScales: number;
  readonly vScales: number;
  /** Bytes of its K and of its V, scales included: of all segments, which are of one size. */
  readonly kBytes: number;
  readonly vBytes: number;
  /** Bytes one token of one sequence takes, K and V with their scales. */
  readonly bytesPerToken: number;
}

/** What of a device's limits caches depend on. */
export type BufferLimits = Pick<DeviceFacts, 'maxBindingBytes' | 'maxBufferBytes'>;

/** Throws ShapeError for what are no limits. */
export function checkLimits(limits: BufferLimits): void {
  const fields = ['maxBindingBytes', 'maxBufferBytes'] as const;
  checkNumbers('cache: limits', limits, fields, 'GqaDevice.facts');
  for (const field of fields)
    checkWhole(`cache: limits: ${field}`, limits[field], 1, Number.MAX_SAFE_INTEGER);
}

/** Element types of K and V. */
interface Types {
  readonly kType: KvType;
  readonly vType: KvType;
}

/** Bytes that a binding may have. */
function mostBytesOf({ maxBindingBytes, maxBufferBytes }: BufferLimits): number {
  return Math.min(maxBindingBytes, maxBufferBytes);
}

/** A pool in segments that the limits allow. */
export function spreadOver(
  pool: PagePool,
  limits: BufferLimits,
  shapes: readonly LayerShape[],
  types: Types,
): PagePool {
  const distinct = [...new Map(shapes.map((shape) => [keyOf(shape), shape])).values()];
  return segmented(pool, mostBytesOf(limits), (pages) =>
    Math.max(
      ...distinct.map((shape) => {
        const rows = rowsOf(shape, shape.numKvHeads, pages * pool.pageSize, types);
        return Math.max(storedBytes(rows.k), storedBytes(rows.v));
      }),
    ),
  );
}

/** What the layouts of a cache's layers have in common. */
interface CacheSizes extends Types {
  readonly batch: number;
  readonly capacity: number;
}

/** The layouts of shapes, one object for each. Without pages each is in as few segments as the limits allow. */
export function layoutsOf(
  sizes: CacheSizes,
  pool: PagePool | undefined,
  limits: BufferLimits | undefined,
): (shape: LayerShape) => LayerLayout {
  const known = new Map<string, LayerLayout>();
  return (shape) => {
    const layout = known.get(keyOf(shape)) ?? layerLayout(shape, sizes, pool, limits);
    known.set(keyOf(shape), layout);
    return layout;
  };
}

function keyOf({ numKvHeads, headDim, vHeadDim, ring }: LayerShape): string {
  return `${numKvHeads} of ${headDim} and ${vHeadDim}, ${ringText(ring)}`;
}

/** The heads of a layer, and its ring. */
export interface LayerShape extends HeadDims {
  readonly numKvHeads: number;
  readonly ring?: RingLayout;
}

/** The shapes of all layers. */
export function layersOf(
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

/** Throws ShapeError for heads that cannot be. */
export function checkLayer(where: string, { numKvHeads, ...dims }: Omit<LayerShape, 'ring'>): void {
  checkWhole(`${where}: numKvHeads`, numKvHeads, 1, MAX_HEADS);
  checkHeadDims(where, dims);
}

function layerLayout(
  shape: LayerShape,
  { batch, capacity, ...types }: CacheSizes,
  pool: PagePool | undefined,
  limits: BufferLimits | undefined,
): LayerLayout {
  const { numKvHeads, headDim, vHeadDim, ring } = shape;
  // The pages of a segment are the slots of one sequence.
  const heads = pool ? numKvHeads : batch * numKvHeads;
  const slots = pool ? pool.segmentPages * pool.pageSize : (ring?.slots ?? capacity);
  const rows = rowsOf(shape, heads, slots, types);
  const spread = pool
    ? { segments: pool.segments, segmentHeads: heads }
    : spreadOfHeads(rows, batch, numKvHeads, limits);
  const [k, v] = [segmentRows(rows.k, spread), segmentRows(rows.v, spread)];
  return {
    numKvHeads,
    headDim,
    vHeadDim,
    ...spread,
    ...rows,
    kScales: scalesStart(k),
    vScales: scalesStart(v),
    kBytes: spread.segments * storedBytes(k),
    vBytes: spread.segments * storedBytes(v),
    bytesPerToken: numKvHeads * (rowBytes(types.kType, headDim) + rowBytes(types.vType, vHeadDim)),
    ...(ring && { ring }),
    ...(pool && { pageSize: pool.pageSize }),
  };
}

function rowsOf(
  { headDim, vHeadDim }: LayerShape,
  heads: number,
  capacity: number,
  { kType, vType }: Types,
): { readonly k: RowsLayout; readonly v: RowsLayout } {
  const k: RowsLayout = { type: kType, headDim, heads, capacity };
  return { k, v: { ...k, type: vType, headDim: vHeadDim } };
}

/** K and V of a head are in segments of one number. */
function spreadOfHeads(
  { k, v }: { readonly k: RowsLayout; readonly v: RowsLayout },
  batch: number,
  numKvHeads: number,
  limits: BufferLimits | undefined,
): HeadSpread {
  const most = limits ? mostBytesOf(limits) : Infinity;
  return spreadHeads(batch, numKvHeads, (heads) =>
    [k, v].every((rows) => storedBytes({ ...rows, heads }) <= most),
  );
}

// layerShapes.ts: the shapes of a cache's layers, each with the bytes that it takes; pure.
import type { DeviceFacts } from '../device/deviceFacts.ts';
import { checkNumbers, checkOptions, checkWhole, type Known } from '../device/options.ts';
import { checkHeadDims, MAX_HEADS, type HeadDims } from '../kernels/shape.ts';
import { rowBytes, scalesStart, storedBytes, type KvType, type RowsLayout } from '../numbers/elements.ts';
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
  /** Absent where each token has a slot. */
  readonly ring?: RingLayout;
  /** Rows of its K and of its V, or of a segment of them, for `encodeRows` and `decodeRows`. */
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

/** A pool in segments that the limits allow. */
export function spreadOver(
  pool: PagePool,
  { maxBindingBytes, maxBufferBytes }: BufferLimits,
  shapes: readonly LayerShape[],
  types: Types,
): PagePool {
  const distinct = [...new Map(shapes.map((shape) => [keyOf(shape), shape])).values()];
  return segmented(pool, Math.min(maxBindingBytes, maxBufferBytes), (pages) => {
    const all = distinct.map((shape) =>
      layerLayout(shape, { parts: 1, each: pages * pool.pageSize, segments: 1 }, types),
    );
    return Math.max(...all.flatMap(({ kBytes, vBytes }) => [kBytes, vBytes]));
  });
}

/** The layouts of shapes, one object for each. */
export function layoutsOf(
  batch: number,
  capacity: number,
  types: Types,
  pool: PagePool | undefined,
): (shape: LayerShape) => LayerLayout {
  const known = new Map<string, LayerLayout>();
  return (shape) => {
    const { ring } = shape;
    const own = pool
      ? { parts: 1, each: pool.segmentPages * pool.pageSize, segments: pool.segments }
      : { parts: batch, each: ring?.slots ?? capacity, segments: 1 };
    const layout = known.get(keyOf(shape)) ?? { ...layerLayout(shape, own, types), ...(ring && { ring }) };
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

/** Sequences, and slots of each of their heads. A segment's pages are the slots of one. All segments have as many. */
interface Slots {
  readonly parts: number;
  readonly each: number;
  readonly segments: number;
}

function layerLayout(
  { numKvHeads, headDim, vHeadDim }: LayerShape,
  { parts, each, segments }: Slots,
  { kType, vType }: Types,
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
    kBytes: segments * storedBytes(k),
    vBytes: segments * storedBytes(v),
    bytesPerToken: numKvHeads * (rowBytes(kType, headDim) + rowBytes(vType, vHeadDim)),
  };
}

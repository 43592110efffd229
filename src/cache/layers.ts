// layers.ts: where the K and V of a cache's layers lie: several layers share a buffer, since each buffer costs a driver dearly.
import type { BufferRange, CreateBuffer } from '../device/buffers.ts';
import type { DeviceFacts } from '../device/deviceFacts.ts';
import type { CacheLayout } from './layout.ts';

/** K [B, Hkv, capacity, D] and V [B, Hkv, capacity, Dv] in the cache's element types, then their scales; of pages [Hkv, segmentPages * pageSize, D]. */
export interface LayerSegment {
  readonly k: BufferRange;
  readonly v: BufferRange;
}

/** Where a layer lies. `k` and `v` are its first segment's, which is the only one but in a cache of pages beyond one binding. */
export interface CacheLayer extends LayerSegment {
  readonly segments: readonly LayerSegment[];
}

/** A layer larger than this has buffers of its own. */
const SHARED_BYTES = 64 * 2 ** 20;

/** Where a binding may begin: WebGPU guarantees that no device asks for more. */
const ALIGNMENT = 256;

/**
 * Allocates K and V of all layers. K and V are in different buffers, and so are the segments of a layer: a kernel may not read and
 * write parts of one.
 */
export function createLayers(layout: CacheLayout, facts: DeviceFacts, create: CreateBuffer): CacheLayer[] {
  const { perLayer, segments: count = 1 } = layout;
  const most = Math.min(SHARED_BYTES, facts.maxBufferBytes, facts.maxBindingBytes);
  const rangesOf = (name: string, of: 'kBytes' | 'vBytes') => {
    const sizes = perLayer.map((layer) => layer[of] / count);
    return Array.from({ length: count }, (_, segment) =>
      createRanges(count === 1 ? name : `${name} segment ${segment},`, sizes, most, create),
    );
  };
  const [k, v] = [rangesOf('k_cache', 'kBytes'), rangesOf('v_cache', 'vBytes')];
  return perLayer.map((_, layer) => {
    const segments = k.map((ranges, s) => ({ k: ranges[layer]!, v: v[s]![layer]! }));
    return { ...segments[0]!, segments };
  });
}

/** Ranges of these sizes in as few buffers of at most `most` bytes as hold them in order; a range has no part in two buffers. */
function createRanges(
  name: string,
  sizes: readonly number[],
  most: number,
  create: CreateBuffer,
): BufferRange[] {
  const ranges: BufferRange[] = [];
  while (ranges.length < sizes.length) {
    const first = ranges.length;
    const { offsets, bytes } = oneBuffer(sizes, first, most);
    const last = first + offsets.length - 1;
    const which = last === first ? `layer ${first}` : `layers ${first} to ${last}`;
    const buffer = create(`${name} ${which}`, bytes);
    offsets.forEach((offset, i) => ranges.push({ buffer, offset, size: sizes[first + i]! }));
  }
  return ranges;
}

/** Where the sizes from the first on lie in a buffer of at most `most` bytes, one of them at least, and how long it is. */
function oneBuffer(
  sizes: readonly number[],
  first: number,
  most: number,
): { offsets: number[]; bytes: number } {
  const offsets: number[] = [];
  let bytes = 0;
  for (let i = first; i < sizes.length; i++) {
    const offset = Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    if (offsets.length > 0 && offset + sizes[i]! > most) break;
    offsets.push(offset);
    bytes = offset + sizes[i]!;
  }
  return { offsets, bytes };
}

/** The buffers that layers lie in, each once. */
export function buffersOf(layers: readonly CacheLayer[]): GPUBuffer[] {
  return [...new Set(layers.flatMap(({ segments }) => segments.flatMap(({ k, v }) => [k.buffer, v.buffer])))];
}

/** The ranges of a layer by names for messages: k and v, and those of further segments with their numbers. */
export function rangesByName(segments: readonly LayerSegment[]): Record<string, BufferRange> {
  return Object.fromEntries(
    segments.flatMap(({ k, v }, s) => [
      [s === 0 ? 'k' : `k of segment ${s}`, k],
      [s === 0 ? 'v' : `v of segment ${s}`, v],
    ]),
  );
}

// layers.ts: where the K and V of a cache's layers lie: several layers share a buffer, since each buffer costs a driver dearly.
import type { BufferRange, CreateBuffer } from '../device/buffers.ts';
import type { DeviceFacts } from '../device/deviceFacts.ts';
import type { CacheLayout } from './layout.ts';

/** K [B, Hkv, capacity, D] and V [B, Hkv, capacity, Dv] in the cache's element types, then their scales; or those of some KV heads; of pages [Hkv, segmentPages * pageSize, D]. */
export interface LayerSegment {
  readonly k: BufferRange;
  readonly v: BufferRange;
}

/** Where a layer lies. `k` and `v` are its first segment's, which is the only one but beyond one binding. */
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
  const { perLayer } = layout;
  const most = Math.min(SHARED_BYTES, facts.maxBufferBytes, facts.maxBindingBytes);
  const count = Math.max(...perLayer.map(({ segments }) => segments));
  const rangesOf = (name: string, of: 'kBytes' | 'vBytes') =>
    Array.from({ length: count }, (_, segment) => {
      const sizes = perLayer.flatMap((layer, i): Sized[] =>
        segment < layer.segments ? [{ layer: i, size: layer[of] / layer.segments }] : [],
      );
      return createRanges(count === 1 ? name : `${name} segment ${segment},`, sizes, most, create);
    });
  const [k, v] = [rangesOf('k_cache', 'kBytes'), rangesOf('v_cache', 'vBytes')];
  return perLayer.map((own, layer) => {
    const segments = Array.from({ length: own.segments }, (_, s) => ({
      k: k[s]!.get(layer)!,
      v: v[s]!.get(layer)!,
    }));
    return { ...segments[0]!, segments };
  });
}

/** Bytes of a layer's K or V, or of a segment of it. */
interface Sized {
  readonly layer: number;
  readonly size: number;
}

/** Ranges of these sizes, by layers, in as few buffers of at most `most` bytes as hold them in order; a range has no part in two buffers. */
function createRanges(
  name: string,
  sizes: readonly Sized[],
  most: number,
  create: CreateBuffer,
): Map<number, BufferRange> {
  const ranges = new Map<number, BufferRange>();
  while (ranges.size < sizes.length) {
    const rest = sizes.slice(ranges.size);
    const { offsets, bytes } = oneBuffer(rest, most);
    const [first, last] = [rest[0]!.layer, rest[offsets.length - 1]!.layer];
    const which = last === first ? `layer ${first}` : `layers ${first} to ${last}`;
    const buffer = create(`${name} ${which}`, bytes);
    for (const [i, offset] of offsets.entries()) {
      const { layer, size } = rest[i]!;
      ranges.set(layer, { buffer, offset, size });
    }
  }
  return ranges;
}

/** Where the first of these sizes lie in a buffer of at most `most` bytes, one of them at least, and how long it is. */
function oneBuffer(sizes: readonly Sized[], most: number): { offsets: number[]; bytes: number } {
  const offsets: number[] = [];
  let bytes = 0;
  for (const { size } of sizes) {
    const offset = Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    if (offsets.length > 0 && offset + size > most) break;
    offsets.push(offset);
    bytes = offset + size;
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

// layers.ts: where the K and V of a cache's layers lie: several layers share a buffer, since each buffer costs a driver dearly.
import type { BufferRange, CreateBuffer } from '../device/buffers.ts';
import type { DeviceFacts } from '../device/deviceFacts.ts';
import type { CacheLayout } from './layout.ts';

/** K [B, Hkv, capacity, D] and V [B, Hkv, capacity, Dv] of one layer in the cache's element types, then their scales. */
export interface CacheLayer {
  readonly k: BufferRange;
  readonly v: BufferRange;
}

/** A layer larger than this has buffers of its own. */
const SHARED_BYTES = 64 * 2 ** 20;

/** Where a binding may begin: WebGPU guarantees that no device asks for more. */
const ALIGNMENT = 256;

/** Allocates K and V of all layers. K and V are in different buffers: a kernel may not read and write parts of one. */
export function createLayers(layout: CacheLayout, facts: DeviceFacts, create: CreateBuffer): CacheLayer[] {
  const most = Math.min(SHARED_BYTES, facts.maxBufferBytes);
  const k = createRanges(
    'k_cache',
    layout.perLayer.map(({ kBytes }) => kBytes),
    most,
    create,
  );
  const v = createRanges(
    'v_cache',
    layout.perLayer.map(({ vBytes }) => vBytes),
    most,
    create,
  );
  return k.map((range, layer) => ({ k: range, v: v[layer]! }));
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
  return [...new Set(layers.flatMap(({ k, v }) => [k.buffer, v.buffer]))];
}

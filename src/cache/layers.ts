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
  const k = createRanges('k_cache', layout.layers, layout.kBytes, most, create);
  const v = createRanges('v_cache', layout.layers, layout.vBytes, most, create);
  return k.map((range, layer) => ({ k: range, v: v[layer]! }));
}

/** `count` ranges of `bytes` in as few buffers of at most `most` bytes as hold them; a range has no part in two buffers. */
function createRanges(
  name: string,
  count: number,
  bytes: number,
  most: number,
  create: CreateBuffer,
): BufferRange[] {
  const stride = Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
  const perBuffer = Math.max(1, Math.floor((most - bytes) / stride) + 1);
  const ranges: BufferRange[] = [];
  while (ranges.length < count) {
    const first = ranges.length;
    const held = Math.min(perBuffer, count - first);
    const which = held === 1 ? `layer ${first}` : `layers ${first} to ${first + held - 1}`;
    const buffer = create(`${name} ${which}`, (held - 1) * stride + bytes);
    for (let i = 0; i < held; i++) ranges.push({ buffer, offset: i * stride, size: bytes });
  }
  return ranges;
}

/** The buffers that layers lie in, each once. */
export function buffersOf(layers: readonly CacheLayer[]): GPUBuffer[] {
  return [...new Set(layers.flatMap(({ k, v }) => [k.buffer, v.buffer]))];
}

// createKvCache.ts: allocates a KV cache and compiles what it dispatches.
import { allocated } from '../device/buffers.ts';
import { checkDevice, type GqaDevice } from '../device/gqaDevice.ts';
import { appendKv } from '../kernels/appendKv.ts';
import { forkRows } from '../kernels/forkRows.ts';
import { checkCacheFits } from './cacheFits.ts';
import { KvCache } from './kvCache.ts';
import { createLayers } from './layers.ts';
import { cacheLayout, type CacheOptions, type LayerLayout } from './layout.ts';

/**
 * Allocates a cache, in as many bindings as it takes. Throws ShapeError for bad numbers, LimitExceededError when K or V of one KV head of a
 * sequence, or of a page, is larger than one binding of the device may be, GpuError when the memory cannot be had; nothing stays
 * allocated then.
 */
export async function createKvCache(device: GqaDevice, options: CacheOptions): Promise<KvCache> {
  checkDevice('createKvCache', device);
  device.assertUsable();
  const layout = cacheLayout(options, device.facts);
  checkCacheFits('kv cache', layout, device.facts);
  const compile = (layer: LayerLayout) => device.pipelines.get(appendKv({ ...layout, ...layer }));
  const compiled = new Map([...new Set(layout.perLayer)].map((layer) => [layer, compile(layer)]));
  const [append, within, across] = await Promise.all([
    Promise.all(layout.perLayer.map((layer) => compiled.get(layer)!)),
    device.pipelines.get(forkRows()),
    layout.perLayer.some(({ segments }) => segments > 1)
      ? device.pipelines.get(forkRows({ across: true }))
      : undefined,
  ]);
  return allocated(device, `kv cache: ${layout.totalBytes} bytes`, (create) => {
    return new KvCache(device, layout, createLayers(layout, device.facts, create), {
      append,
      fork: { within, ...(across && { across }) },
    });
  });
}

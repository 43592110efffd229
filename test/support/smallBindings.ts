// smallBindings.ts: devices with small bindings, so that caches of a few kilobytes are spread over several.
import { createKvCache, type CacheOptions, type GqaDevice, type KvCache } from '../../src/index.ts';
import { ownDevice } from './ownDevice.ts';

/** A device on which a binding has as many bytes at most, as far as the library knows. */
export async function withBindings(maxBindingBytes: number): Promise<GqaDevice> {
  const device = await ownDevice(['subgroups']);
  Object.defineProperty(device, 'facts', { value: { ...device.facts, maxBindingBytes } });
  return device;
}

/** A cache made while the device has no larger bindings than that, as far as the cache knows; undefined: as it is. */
export async function cacheWithin(
  device: GqaDevice,
  maxBindingBytes: number | undefined,
  options: CacheOptions,
): Promise<KvCache> {
  const { facts } = device;
  const has = (value: typeof facts) => Object.defineProperty(device, 'facts', { value });
  has({ ...facts, maxBindingBytes: maxBindingBytes ?? facts.maxBindingBytes });
  try {
    return await createKvCache(device, options);
  } finally {
    has(facts);
  }
}

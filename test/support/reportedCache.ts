// reportedCache.ts: a cache on a device of its own whose idle() and report() a test looks at, and tokens to append to it.
import { beforeAll } from 'vitest';
import { normals } from '../../src/numbers/random.ts';
import {
  createKvCache,
  uploadStorage,
  type CacheOptions,
  type GqaDevice,
  type KvCache,
} from '../../src/index.ts';
import { ownDevice } from './ownDevice.ts';

export const OPTIONS: CacheOptions = {
  batch: 2,
  numKvHeads: 2,
  headDim: 64,
  capacity: 16,
  layers: 3,
  kType: 'f16',
};

export const NAME = 'kv cache of 2 KV heads, head dim 64, capacity 16, K f16, V f16';

// Of its own: idle() speaks of all caches of a device.
export let device: GqaDevice;

/** Opens the device before the tests of the file that calls this. */
export function opensDevice(): void {
  beforeAll(async () => {
    device = await ownDevice();
  });
}

/** New tokens for both sequences, with some elements set, in buffers. */
export function tokens(cache: KvCache, k: Record<number, number>, v: Record<number, number>, numTokens = 1) {
  const rows = [k, v].map((set, i) => {
    const values = normals(i + 1, 2 * 2 * numTokens * 64).map((x) => x || 1);
    for (const [at, value] of Object.entries(set)) values[Number(at)] = value;
    return uploadStorage(cache.device, `row ${i}`, values);
  });
  return { k: rows[0]!, v: rows[1]!, numTokens };
}

/** Makes a cache for a test, and destroys it. */
export async function withCache(use: (cache: KvCache) => Promise<void>, options = OPTIONS): Promise<void> {
  const cache = await createKvCache(device, options);
  try {
    await use(cache);
  } finally {
    cache.destroy();
    await device.idle();
  }
}

// chunkMemory.node.test.ts: the memory of step numbers that nobody needs any more comes back.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test, vi } from 'vitest';
import { createDecoder, createKvCache, createStorage } from '../../src/index.ts';
import { testDevice } from '../support/device.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

test('a long loop of appends and steps, each submitted, keeps a chunk of each kind', async () => {
  const device = await testDevice();
  const capacity = 3000;
  using cache = await createKvCache(device, { numKvHeads: 1, headDim: 64, capacity });
  using decoder = await createDecoder(device, { cache, numQHeads: 1 });
  const row = createStorage(device, 'row', 256);
  const append = await cache.bindAppend({ k: row, v: row });
  const step = await decoder.bind({ q: row, o: createStorage(device, 'o', 256) });

  const made: WeakRef<GPUBuffer>[] = [];
  const create = device.gpu.createBuffer.bind(device.gpu);
  const spy = vi.spyOn(device.gpu, 'createBuffer').mockImplementation((descriptor) => {
    const buffer = create(descriptor);
    made.push(new WeakRef(buffer));
    return buffer;
  });
  try {
    for (let t = 0; t < capacity; t++) {
      const encoder = device.gpu.createCommandEncoder();
      append.record(encoder);
      step.record(encoder, decoder.plan({ kvLens: [t + 1] }));
      device.gpu.queue.submit([encoder.finish()]);
      if (t % 500 === 499) await device.idle();
    }
  } finally {
    // The spy itself keeps what it returned.
    spy.mockRestore();
  }
  await device.idle();
  expect(made.length).toBeGreaterThan(6);
  const alive = () => made.filter((ref) => ref.deref() !== undefined).length;
  for (let round = 0; round < 20 && alive() > 2; round++) {
    await new Promise((resolve) => setTimeout(resolve, 0));
    collectGarbage();
  }
  expect(alive()).toBeLessThanOrEqual(2);
});

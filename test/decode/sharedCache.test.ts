// sharedCache.test.ts: decoders over one cache, as models with two kinds of layers and those that read another layer's keys have them.
import { expect, test } from 'vitest';
import {
  createDecoder,
  createKvCache,
  createStorage,
  readBack,
  uploadStorage,
  type FeatureOptions,
} from '../../src/index.ts';
import { randomProblem } from '../../src/reference/problem.ts';
import { cacheOptionsOf, runProblem } from '../../bench/check/runProblem.ts';
import { bits } from '../support/attend.ts';
import { testDevice } from '../support/device.ts';

const device = await testDevice();
const common = { batch: 2, numQHeads: 6, numKvHeads: 2, headDim: 64, kvLens: [40, 9], capacity: 40 };
const layers = [1, 2].map((seed) => randomProblem({ ...common, kType: 'f16', seed }));
const { q } = layers[0]!;

test('a decoder for each kind of layer, and one that reads the layer of another', async () => {
  using cache = await createKvCache(device, { ...cacheOptionsOf(layers[0]!), layers: 2 });
  for (const [layer, { kStored, vStored, kvLens }] of layers.entries()) {
    cache.load({ layer, k: kStored, v: vStored, kvLens });
  }
  const make = (features: FeatureOptions) => createDecoder(device, { cache, numQHeads: 6, features });
  using windowed = await make({ window: 5 });
  using full = await make({});
  const query = uploadStorage(device, 'q', q);
  const outs = [0, 1, 2].map((i) => createStorage(device, `o ${i}`, q.byteLength));
  const bound = [
    [windowed, await windowed.bind({ layer: 0, q: query, o: outs[0]! })],
    [full, await full.bind({ layer: 1, q: query, o: outs[1]! })],
    [full, await full.bind({ layer: 0, q: query, o: outs[2]! })],
  ] as const;
  const encoder = device.gpu.createCommandEncoder();
  const pass = encoder.beginComputePass();
  for (const [decoder, step] of bound) step.record(pass, decoder.plan({ kvLens: common.kvLens }));
  pass.end();
  device.gpu.queue.submit([encoder.finish()]);
  const expected = [{ ...layers[0]!, features: { window: 5 } }, { ...layers[1]!, q }, layers[0]!];
  for (const [i, problem] of expected.entries()) {
    const got = new Float32Array(await readBack(device, outs[i]!));
    expect(bits(got)).toEqual(bits((await runProblem(device, problem)).o));
  }
  for (const buffer of [query, ...outs]) buffer.destroy();
});

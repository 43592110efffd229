// record.test.ts: recording: several steps in one command buffer, many layers under one plan, the caller's pass, and
// nothing allocated while it goes on.
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { randomProblem, type StoredProblem } from '../../src/reference/problem.ts';
import { cacheOptionsOf } from '../../bench/check/runProblem.ts';
import {
  createDecoder,
  createKvCache,
  createStorage,
  readBack,
  uploadStorage,
  type DecodePlan,
  type GqaDevice,
} from '../../src/index.ts';
import { expectClose } from '../support/attend.ts';
import { testDevice } from '../support/device.ts';

const control = { numQHeads: 8, numKvHeads: 2, headDim: 64 };
const CAPACITY = 300;
const O_BYTES = 8 * 64 * 4;

let device: GqaDevice;
beforeAll(async () => {
  device = await testDevice();
});

// A cache that holds CAPACITY tokens, and steps over its first `kvLen`, each with an output of its own.
async function steps(count: number) {
  const problem = randomProblem({ ...control, kvLens: [CAPACITY] });
  const cache = await createKvCache(device, cacheOptionsOf(problem));
  cache.load({ k: problem.kStored, v: problem.vStored, kvLens: [CAPACITY] });
  const decoder = await createDecoder(device, { cache, numQHeads: 8 });
  const q = uploadStorage(device, 'q', problem.q);
  const o = uploadStorage(device, 'o', new Float32Array(count * 512).fill(NaN));
  const lse = uploadStorage(device, 'lse', new Float32Array(count * 64).fill(NaN)); // 256 bytes apart
  const bound = await Promise.all(
    Array.from({ length: count }, (_, i) =>
      decoder.bind({ q, o: { buffer: o, offset: i * O_BYTES }, lse: { buffer: lse, offset: i * 256 } }),
    ),
  );
  const results = async () => {
    const [allO, allLse] = [await readBack(device, o), await readBack(device, lse)];
    return bound.map((_, i) => ({
      o: new Float32Array(allO, i * O_BYTES, 512),
      lse: new Float32Array(allLse, i * 256, 8),
    }));
  };
  return { problem, cache, decoder, bound, results };
}

function expectStep(
  problem: StoredProblem,
  kvLen: number,
  { o, lse }: { o: Float32Array; lse: Float32Array },
) {
  expectClose({ ...problem, kvLens: [kvLen] }, o, lse, `a step over ${kvLen} keys`);
}

describe('steps of different lengths in one command buffer', () => {
  test('each gets its own numbers', async () => {
    const lengths = [300, 1, 150, 0, 299, 33, 150, 300];
    const { problem, decoder, bound, results } = await steps(lengths.length);
    const encoder = device.gpu.createCommandEncoder();
    lengths.forEach((kvLen, i) => bound[i]!.record(encoder, decoder.plan({ kvLens: [kvLen] })));
    device.gpu.queue.submit([encoder.finish()]);
    (await results()).forEach((result, i) => expectStep(problem, lengths[i]!, result));
  });

  test('and its own scale', async () => {
    const { problem, decoder, bound, results } = await steps(2);
    const encoder = device.gpu.createCommandEncoder();
    bound[0]!.record(encoder, decoder.plan({ kvLens: [50], smScale: 0.5 }));
    bound[1]!.record(encoder, decoder.plan({ kvLens: [50], smScale: -1 }));
    device.gpu.queue.submit([encoder.finish()]);
    const [half, minus] = await results();
    expectStep({ ...problem, smScale: 0.5 }, 50, half!);
    expectStep({ ...problem, smScale: -1 }, 50, minus!);
  });
});

test('steps in the caller’s own compute pass, which stays open', async () => {
  const { problem, decoder, bound, results } = await steps(2);
  const encoder = device.gpu.createCommandEncoder();
  const pass = encoder.beginComputePass();
  bound[0]!.record(pass, decoder.plan({ kvLens: [257] }));
  bound[1]!.record(pass, decoder.plan({ kvLens: [20] }));
  pass.end();
  device.gpu.queue.submit([encoder.finish()]);
  const [first, second] = await results();
  expectStep(problem, 257, first!);
  expectStep(problem, 20, second!);
});

test('a recorded command buffer is submitted later, in the order of submission', async () => {
  const { problem, decoder, bound, results } = await steps(1);
  const record = (kvLen: number) => {
    const encoder = device.gpu.createCommandEncoder();
    bound[0]!.record(encoder, decoder.plan({ kvLens: [kvLen] }));
    return encoder.finish();
  };
  const [first, second] = [record(10), record(280)];
  device.gpu.queue.submit([second, first]);
  expectStep(problem, 10, (await results())[0]!);
});

test('lse may be left out', async () => {
  const { problem, decoder } = await steps(1);
  const o = createStorage(device, 'o', O_BYTES);
  const step = await decoder.bind({ q: uploadStorage(device, 'q', problem.q), o });
  step.run(decoder.plan({ kvLens: [200] }));
  const lse = new Float32Array(8);
  const got = new Float32Array(await readBack(device, o));
  expect(() => expectClose({ ...problem, kvLens: [200] }, got, lse)).toThrow();
  const { attention } = await import('../../src/reference/attention.ts');
  lse.set(attention({ ...problem, kvLens: [200] }).lse);
  expectClose({ ...problem, kvLens: [200] }, got, lse);
});

/** 32 layers of one token; the value of layer i is i in every element. */
async function manyLayers() {
  const layers = 32;
  const cache = await createKvCache(device, { numKvHeads: 2, headDim: 64, capacity: 16, layers });
  const decoder = await createDecoder(device, { cache, numQHeads: 8 });
  const q = createStorage(device, 'q', O_BYTES);
  const o = uploadStorage(device, 'o', new Float32Array(layers * 512).fill(NaN));
  const rows = Array.from({ length: layers }, (_, i) =>
    uploadStorage(device, 'row', new Float32Array(128).fill(i)),
  );
  const appends = await Promise.all(rows.map((row, layer) => cache.bindAppend({ layer, k: row, v: row })));
  const decodes = await Promise.all(
    rows.map((_, layer) => decoder.bind({ layer, q, o: { buffer: o, offset: layer * O_BYTES } })),
  );
  const record = (plan: DecodePlan) => {
    const encoder = device.gpu.createCommandEncoder();
    for (let layer = 0; layer < layers; layer++) {
      appends[layer]!.record(encoder);
      decodes[layer]!.record(encoder, plan);
    }
    return encoder.finish();
  };
  return { cache, decoder, o, record };
}

describe('32 layers', () => {
  test('share one plan, and the numbers of a step are written once', async () => {
    const { decoder, o, record } = await manyLayers();
    const writes = vi.spyOn(device.gpu.queue, 'writeBuffer');
    const commands = record(decoder.plan({ kvLens: [1] }));
    const count = writes.mock.calls.length;
    writes.mockRestore();
    expect(count).toBe(2); // one for all appends, one for all steps
    device.gpu.queue.submit([commands]);
    const got = new Float32Array(await readBack(device, o));
    const want = got.map((_, at) => Math.floor(at / 512));
    expect(got).toEqual(want);
  });

  test('allocate nothing while they are recorded', async () => {
    const { decoder, record } = await manyLayers();
    const names = ['createBuffer', 'createBindGroup', 'createShaderModule', 'createBindGroupLayout'] as const;
    const more = ['createPipelineLayout', 'createComputePipeline', 'createComputePipelineAsync'] as const;
    const spies = [...names, ...more].map((name) => vi.spyOn(device.gpu, name));
    try {
      device.gpu.createBuffer({ size: 4, usage: 8 }).destroy();
      expect(spies[0]).toHaveBeenCalledTimes(1); // the spies see calls
      spies[0]!.mockClear();
      const submit = vi.spyOn(device.gpu.queue, 'submit');
      const commands = record(decoder.plan({ kvLens: [1] }));
      expect(submit).not.toHaveBeenCalled();
      submit.mockRestore();
      device.gpu.queue.submit([commands]);
      for (const spy of spies) expect(spy).not.toHaveBeenCalled();
    } finally {
      for (const spy of spies) spy.mockRestore();
    }
  });
});

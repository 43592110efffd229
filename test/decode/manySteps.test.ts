// manySteps.test.ts: how much may be recorded before a submit, in which encoders, and in which order it is submitted: all of it.
import { beforeAll, describe, expect, test } from 'vitest';
import { randomProblem } from '../../src/reference/problem.ts';
import {
  createDecoder,
  createKvCache,
  createStorage,
  readBack,
  uploadStorage,
  type GqaDevice,
} from '../../src/index.ts';
import { testDevice } from '../support/device.ts';

const D = 64;
const ROW_BYTES = D * 4;

let device: GqaDevice;
beforeAll(async () => {
  device = await testDevice();
});

/**
 * A cache of one head whose V rows are their own numbers: with q = 0 every key weighs the same, so a step over the first T
 * of them gives their mean, (T - 1) / 2, exactly. Each step has an output of its own.
 */
async function counting(capacity: number, outputs: number) {
  const cache = await createKvCache(device, { numKvHeads: 1, headDim: D, capacity });
  const decoder = await createDecoder(device, { cache, numQHeads: 1 });
  const q = createStorage(device, 'q', ROW_BYTES);
  const o = uploadStorage(device, 'o', new Float32Array(outputs * D).fill(NaN));
  const rows = uploadStorage(
    device,
    'rows',
    Float32Array.from({ length: capacity * D }, (_, i) => Math.floor(i / D)),
  );
  const k = createStorage(device, 'k', ROW_BYTES);
  const steps = await Promise.all(
    Array.from({ length: outputs }, (_, i) => decoder.bind({ q, o: { buffer: o, offset: i * ROW_BYTES } })),
  );
  const appendOf = (row: number) =>
    cache.bindAppend({ k, v: { buffer: rows, offset: row * ROW_BYTES, size: ROW_BYTES } });
  const fill = async () => {
    for (let row = 0; row < capacity; row++)
      await cache.append({ k, v: { buffer: rows, offset: row * ROW_BYTES } });
  };
  /** The first element of each output. */
  const means = async () => {
    const all = new Float32Array(await readBack(device, o));
    return steps.map((_, i) => all[i * D]!);
  };
  return { cache, decoder, steps, appendOf, fill, means };
}

const meanOf = (kvLen: number) => (kvLen - 1) / 2;

describe('before one submit', () => {
  test('1,000 steps, each behind an append, in one encoder', async () => {
    const count = 1000;
    const { cache, decoder, steps, appendOf, means } = await counting(count, count);
    const appends = await Promise.all(Array.from({ length: count }, (_, row) => appendOf(row)));
    const encoder = device.gpu.createCommandEncoder();
    for (let t = 0; t < count; t++) {
      appends[t]!.record(encoder);
      steps[t]!.record(encoder, decoder.plan({ kvLens: [t + 1] }));
    }
    device.gpu.queue.submit([encoder.finish()]);
    expect(cache.kvLens()).toEqual([count]);
    const got = await means();
    got.forEach((mean, t) => expect(mean, `step ${t}`).toBeCloseTo(meanOf(t + 1), 3));
    await device.idle();
  });

  test('plans of 1,500 different lengths, in one pass', async () => {
    const capacity = 1500;
    const problem = randomProblem({ numQHeads: 1, numKvHeads: 1, headDim: D, kvLens: [capacity] });
    const { cache, decoder, steps, means } = await counting(capacity, 300);
    const v = Float32Array.from({ length: capacity * D }, (_, i) => Math.floor(i / D));
    cache.load({ k: problem.k, v, kvLens: [capacity] });
    const encoder = device.gpu.createCommandEncoder();
    const pass = encoder.beginComputePass();
    // Every output is written five times; what stays is the last.
    for (let i = 0; i < capacity; i++) {
      steps[i % 300]!.record(pass, decoder.plan({ kvLens: [capacity - i] }));
    }
    pass.end();
    device.gpu.queue.submit([encoder.finish()]);
    (await means()).forEach((mean, i) => expect(mean).toBeCloseTo(meanOf(300 - i), 3));
  });

  test('a plan recorded first, and again behind hundreds of others', async () => {
    const { decoder, steps, fill, means } = await counting(400, 400);
    await fill();
    const first = decoder.plan({ kvLens: [17] });
    const encoder = device.gpu.createCommandEncoder();
    steps[0]!.record(encoder, first);
    for (let i = 1; i < 399; i++) steps[i]!.record(encoder, decoder.plan({ kvLens: [i + 1] }));
    steps[399]!.record(encoder, first);
    device.gpu.queue.submit([encoder.finish()]);
    const got = await means();
    expect([got[0], got[399]]).toEqual([meanOf(17), meanOf(17)]);
    for (let i = 1; i < 399; i++) expect(got[i]).toBeCloseTo(meanOf(i + 1), 3);
  });
});

describe('several encoders', () => {
  test('recorded in turn, a step each, and submitted in reverse order', async () => {
    const { decoder, steps, fill, means } = await counting(300, 300);
    await fill();
    const encoders = [0, 1, 2].map(() => device.gpu.createCommandEncoder());
    for (let i = 0; i < 300; i++) steps[i]!.record(encoders[i % 3]!, decoder.plan({ kvLens: [i + 1] }));
    const commands = encoders.map((encoder) => encoder.finish());
    for (const command of commands.toReversed()) device.gpu.queue.submit([command]);
    (await means()).forEach((mean, i) => expect(mean, `step ${i}`).toBeCloseTo(meanOf(i + 1), 3));
  });

  test('one that waits while thousands of steps are recorded and submitted in others', async () => {
    const { decoder, steps, fill, means } = await counting(200, 3);
    await fill();
    const waiting = device.gpu.createCommandEncoder();
    steps[0]!.record(waiting, decoder.plan({ kvLens: [5] }));
    for (let round = 0; round < 20; round++) {
      const encoder = device.gpu.createCommandEncoder();
      for (let i = 0; i < 200; i++) steps[1]!.record(encoder, decoder.plan({ kvLens: [i + 1] }));
      device.gpu.queue.submit([encoder.finish()]);
    }
    steps[2]!.record(waiting, decoder.plan({ kvLens: [7] }));
    device.gpu.queue.submit([waiting.finish()]);
    expect(await means()).toEqual([meanOf(5), expect.closeTo(meanOf(200), 3), meanOf(7)]);
  });
});

test('appends of two caches and steps of two decoders, recorded in turn, do not disturb each other', async () => {
  const [a, b] = [await counting(150, 150), await counting(150, 150)];
  const [appendA, appendB] = [await a.appendOf(3), await b.appendOf(8)];
  const encoder = device.gpu.createCommandEncoder();
  for (let t = 0; t < 150; t++) {
    appendA.record(encoder);
    appendB.record(encoder);
    a.steps[t]!.record(encoder, a.decoder.plan({ kvLens: [t + 1] }));
    b.steps[t]!.record(encoder, b.decoder.plan({ kvLens: [t + 1] }));
  }
  device.gpu.queue.submit([encoder.finish()]);
  expect(new Set(await a.means())).toEqual(new Set([3]));
  expect(new Set(await b.means())).toEqual(new Set([8]));
});

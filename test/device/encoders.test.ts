// encoders.test.ts: encoders and passes are known by their device, and let through or refused by it.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openGpu } from '#gpu';
import {
  bindMerge,
  borrowDevice,
  createDecoder,
  createKvCache,
  createStorage,
  ForeignDeviceError,
  readBack,
  ShapeError,
  uploadStorage,
  type GqaDevice,
  type RecordTarget,
} from '../../src/index.ts';
import { failure, message } from '../support/failure.ts';
import { ownDevice } from '../support/ownDevice.ts';

/** All that records, each into a target: a step, an append, a merge. */
async function recorders(device: GqaDevice) {
  const cache = await createKvCache(device, { numKvHeads: 1, headDim: 64, capacity: 64 });
  const row = uploadStorage(device, 'row', new Float32Array(64).fill(2));
  await cache.append({ k: row, v: row });
  const decoder = await createDecoder(device, { cache, numQHeads: 1 });
  const o = createStorage(device, 'o', 256);
  const step = await decoder.bind({ q: row, o });
  const plan = decoder.plan({ kvLens: [1] });
  const append = await cache.bindAppend({ k: row, v: row });
  const merge = await bindMerge(device, {
    numStates: 1,
    rows: 1,
    headDim: 64,
    statesO: row,
    statesLse: createStorage(device, 'lse in', 4),
    o: createStorage(device, 'merged', 256),
    lse: createStorage(device, 'lse', 4),
  });
  const records: Record<string, (target: RecordTarget) => void> = {
    step: (target) => step.record(target, plan),
    append: (target) => append.record(target),
    merge: (target) => merge.record(target),
  };
  return { records, o, cache };
}

type Recorders = Awaited<ReturnType<typeof recorders>>;

let own: GqaDevice;
let other: GqaDevice;
let raw: GPUDevice;
let early: GPUCommandEncoder;
let borrowed: GqaDevice;
let ours: Recorders;
let theirs: Recorders;
beforeAll(async () => {
  own = await ownDevice();
  other = await ownDevice();
  const adapter = (await (await openGpu()).requestAdapter())!;
  raw = await adapter.requestDevice();
  early = raw.createCommandEncoder();
  borrowed = borrowDevice(raw);
  kept.push(adapter, raw, raw.lost);
  ours = await recorders(own);
  theirs = await recorders(borrowed);
});
// Dawn's Node binding crashes when a device becomes unreachable while a promise of its is pending.
const kept: unknown[] = [];
afterAll(async () => {
  own.destroy();
  other.destroy();
  raw.destroy();
  await raw.lost;
});

describe.each(['step', 'append', 'merge'])('a %s', (what) => {
  test('is recorded into encoders and passes of its device', async () => {
    const encoder = own.gpu.createCommandEncoder();
    ours.records[what]!(encoder);
    const pass = encoder.beginComputePass();
    ours.records[what]!(pass);
    pass.end();
    ours.records[what]!(encoder);
    own.gpu.queue.submit([encoder.finish()]);
    await own.idle();
  });

  test('is not recorded into those of another device, whoever owns it', async () => {
    for (const foreign of [other.gpu, raw]) {
      const encoder = foreign.createCommandEncoder();
      await failure(ForeignDeviceError, () => ours.records[what]!(encoder));
      await failure(ForeignDeviceError, () => ours.records[what]!(encoder.beginComputePass()));
    }
    const encoder = own.gpu.createCommandEncoder();
    const error = await message(ForeignDeviceError, () => theirs.records[what]!(encoder));
    expect(error).toMatch(/expected an encoder or pass of this device, got one of another$/);
    await failure(ForeignDeviceError, () => theirs.records[what]!(encoder.beginComputePass()));
    await own.idle();
  });

  test('is recorded into an encoder of a time before its device was borrowed, not into a stranger', async () => {
    theirs.records[what]!(early);
    await failure(ForeignDeviceError, () => ours.records[what]!(early));
  });

  test.each<[string, () => unknown, string]>([
    ['nothing', () => undefined, 'undefined'],
    ['null', () => null, 'null'],
    ['a device', () => own.gpu, 'a GPUDevice'],
    ['a queue', () => own.gpu.queue, 'a GPUQueue'],
    ['an object', () => ({}), 'an object'],
    ['a string', () => 'encoder', '"encoder"'],
  ])('is not recorded into %s', async (_name, targetOf, named) => {
    const error = await message(ShapeError, () => ours.records[what]!(targetOf() as RecordTarget));
    expect(error).toMatch(
      new RegExp(`: expected a GPUCommandEncoder or a GPUComputePassEncoder, got ${named}$`),
    );
  });

  test('is not recorded into what is finished, ended, or has an open pass', async () => {
    const encoder = own.gpu.createCommandEncoder();
    const pass = encoder.beginComputePass();
    await failure(ShapeError, () => ours.records[what]!(encoder));
    pass.end();
    await failure(ShapeError, () => ours.records[what]!(pass));
    encoder.finish();
    await failure(ShapeError, () => ours.records[what]!(encoder));
  });
});

test('an encoder that waited since before its device was borrowed still does its work', async () => {
  const { o } = theirs;
  raw.queue.submit([early.finish()]);
  expect(new Float32Array(await readBack(borrowed, o))[0]).toBe(2);
});

test('two wrappers of one device take each other’s encoders', async () => {
  const again = borrowDevice(own.gpu);
  const encoder = again.gpu.createCommandEncoder();
  ours.records.step!(encoder);
  own.gpu.queue.submit([encoder.finish()]);
  await own.idle();
});

test('a device’s methods still do what they did: labels, timestamps left out, errors', async () => {
  const encoder = own.gpu.createCommandEncoder({ label: 'mine' });
  expect(encoder.label).toBe('mine');
  const pass = encoder.beginComputePass({ label: 'pass' });
  expect(pass.label).toBe('pass');
  expect(pass.end()).toBeUndefined();
  expect(encoder.finish({ label: 'commands' }).label).toBe('commands');
  own.gpu.pushErrorScope('validation');
  encoder.finish(); // a second time
  expect((await own.gpu.popErrorScope())?.message).toMatch(/finish/i);
});

// engine.test.ts: a small engine as callers write them: many layers, parts of buffers, ragged sequences, an encoder for each token.
import { describe, expect, test } from 'vitest';
import { normals } from '../../src/numbers/random.ts';
import {
  createDecoder,
  createKvCache,
  createStorage,
  DestroyedError,
  DeviceLostError,
  GpuError,
  readBack,
  ShapeError,
  uploadStorage,
  type GqaDevice,
} from '../../src/index.ts';
import { failure } from '../support/failure.ts';
import { ownDevice } from '../support/ownDevice.ts';

const [LAYERS, BATCH, HEADS, DIM, CAPACITY] = [20, 2, 2, 64, 16];
const ROWS = BATCH * HEADS * DIM * 4;
const STORAGE = 0x80 | 0x8 | 0x4; // STORAGE, COPY_DST and COPY_SRC

/** All activations of a token in one buffer that was mapped at its creation: q and k, v are parts of it, by layer. */
function activations({ gpu }: GqaDevice, valueOf: (layer: number) => number): GPUBuffer {
  const buffer = gpu.createBuffer({
    label: 'activations',
    size: LAYERS * 2 * ROWS,
    usage: STORAGE,
    mappedAtCreation: true,
  });
  const floats = new Float32Array(buffer.getMappedRange());
  for (let layer = 0; layer < LAYERS; layer++) {
    floats.fill(0, (2 * layer * ROWS) / 4, ((2 * layer + 1) * ROWS) / 4);
    floats.fill(valueOf(layer), ((2 * layer + 1) * ROWS) / 4, ((2 * layer + 2) * ROWS) / 4);
  }
  buffer.unmap();
  return buffer;
}

async function engine(device: GqaDevice) {
  const cache = await createKvCache(device, {
    batch: BATCH,
    numKvHeads: HEADS,
    headDim: DIM,
    capacity: CAPACITY,
    layers: LAYERS,
    kType: 'f16',
  });
  const decoder = await createDecoder(device, { cache, numQHeads: HEADS, kernel: 'tiles' });
  const buffer = activations(device, (layer) => layer + 1);
  const o = device.gpu.createBuffer({ label: 'outputs', size: LAYERS * ROWS, usage: STORAGE });
  const layers = await Promise.all(
    cache.layers.map(async (_, layer) => {
      const [q, kv] = [2 * layer * ROWS, (2 * layer + 1) * ROWS].map((offset) => ({
        buffer,
        offset,
        size: ROWS,
      }));
      return {
        append: await cache.bindAppend({ layer, k: kv!, v: kv! }),
        step: await decoder.bind({ layer, q: q!, o: { buffer: o, offset: layer * ROWS, size: ROWS } }),
      };
    }),
  );
  const token = () => {
    const encoder = device.gpu.createCommandEncoder();
    const plan = decoder.plan({ kvLens: cache.kvLens().map((kvLen) => kvLen + 1) });
    for (const { append, step } of layers) {
      append.record(encoder);
      step.record(encoder, plan);
    }
    return encoder;
  };
  return { cache, decoder, buffer, o, token };
}

test('ragged sequences, an encoder for each token, each idle() while the next is recorded', async () => {
  using device = await ownDevice();
  const { cache, o, token } = await engine(device);
  let next = token();
  for (let t = 0; t < 4; t++) {
    const submitted = next.finish();
    device.gpu.queue.submit([submitted]);
    if (t === 1) cache.truncate([2, 1]);
    next = token();
    await device.idle();
  }
  device.gpu.queue.submit([next.finish()]);
  await device.idle();
  expect(cache.kvLens(LAYERS - 1)).toEqual([5, 4]);
  expect((await cache.report()).appends).toEqual({ recorded: 5 * LAYERS, executed: 5 * LAYERS });
  const values = new Float32Array(await readBack(device, o));
  // Each token of a layer has the same V, and so has their mean.
  const expected = Array.from({ length: LAYERS }, (_, layer) => layer + 1);
  expect(expected.map((_, layer) => values[(layer * ROWS) / 4 + DIM])).toEqual(expected);
});

describe('what a caller may do to an engine', () => {
  test('a source that is still mapped: the submit is refused, and said', async () => {
    using device = await ownDevice();
    const { token, buffer } = await engine(device);
    await buffer.mapAsync(1).catch(() => {}); // no usage MAP_READ: an error of the device
    await device.idle().catch(() => {});
    const open = device.gpu.createBuffer({ size: ROWS, usage: STORAGE, mappedAtCreation: true });
    const cache = await createKvCache(device, { batch: BATCH, numKvHeads: HEADS, headDim: DIM, capacity: 4 });
    await failure(GpuError, () => cache.append({ k: open, v: open }));
    expect(cache.kvLens()).toEqual([0, 0]);
    open.unmap();
    await cache.append({ k: open, v: open });
    device.gpu.queue.submit([token().finish()]);
    await device.idle();
  });

  test('a buffer destroyed between record and submit: idle() says so, and the tokens come back by truncate', async () => {
    using device = await ownDevice();
    const { cache, token, buffer } = await engine(device);
    const encoder = token();
    buffer.destroy();
    device.gpu.queue.submit([encoder.finish()]);
    const error = await failure(GpuError, () => device.idle());
    expect(error.message).toMatch(/destroyed.*activations|activations.*destroyed/s);
    expect(error.message).toContain('layer 0: 1; layer 1: 1; layer 2: 1; layer 3: 1; and 16 more layers');
    cache.truncate(0);
    await device.idle();
  });

  test('the device lost midway: every call says so, and nothing hangs', async () => {
    using device = await ownDevice();
    const { cache, decoder, token } = await engine(device);
    device.gpu.queue.submit([token().finish()]);
    const [encoder, waiting] = [token(), device.idle()];
    device.gpu.destroy();
    await device.lost;
    device.gpu.queue.submit([encoder.finish()]);
    await failure(DeviceLostError, () => waiting);
    for (const call of [
      () => device.idle(),
      () => cache.report(),
      () => decoder.plan({ kvLens: [1, 1] }),
      () => token(),
      () => cache.truncate(0),
      () => createStorage(device, 'more', 4),
    ]) {
      await failure(DeviceLostError, call);
    }
    cache.destroy();
    decoder.destroy();
    await failure(DestroyedError, () => cache.report());
  });

  test('wrong usages and parts are named before anything is recorded', async () => {
    using device = await ownDevice();
    const { cache, buffer } = await engine(device);
    const uniform = device.gpu.createBuffer({ size: ROWS, usage: 0x40 | 0x8 });
    for (const k of [
      uniform,
      { buffer, offset: 4, size: ROWS },
      { buffer, offset: buffer.size, size: ROWS },
      { buffer, offset: 0, size: ROWS - 4 },
      { buffer, offset: -256, size: ROWS },
    ]) {
      const error = await failure(ShapeError, () => cache.bindAppend({ k, v: { buffer, size: ROWS } }));
      expect(error.message).toMatch(/^append: k: expected .*(got|it has) /);
    }
    expect((await failure(ShapeError, () => readBack(device, uniform))).message).toContain('COPY_SRC');
    await device.idle();
  });
});

test('a prompt of 13 tokens by pieces of eight, the last one padded: as in one step each', async () => {
  using device = await ownDevice();
  const [length, piece, dim] = [13, 8, 64];
  const make = () => createKvCache(device, { numKvHeads: 1, headDim: dim, capacity: 16 });
  const values = [1, 2, 3].map((seed) => normals(seed, length * dim));
  const upload = (of: number, from: number, count: number) => {
    const rows = new Float32Array(count * dim);
    rows.set(values[of]!.subarray(from * dim, Math.min(length, from + count) * dim));
    return uploadStorage(device, 'rows', rows);
  };
  const run = async (count: number) => {
    const cache = await make();
    const decoder = await createDecoder(device, { cache, numQHeads: 1, qLen: count });
    const o = createStorage(device, 'o', count * dim * 4);
    const got: number[] = [];
    for (let from = 0; from < length; from += count) {
      await cache.append({ k: upload(0, from, count), v: upload(1, from, count), numTokens: count });
      const step = await decoder.bind({ q: upload(2, from, count), o });
      step.run(decoder.plan({ kvLens: cache.kvLens() }));
      cache.truncate(Math.min(length, from + count));
      got.push(
        ...new Float32Array(await readBack(device, o)).subarray(0, Math.min(count, length - from) * dim),
      );
    }
    expect(cache.kvLens()).toEqual([length]);
    return got;
  };
  const [pieces, single] = [await run(piece), await run(1)];
  expect(pieces).toHaveLength(length * dim);
  expect(Math.max(...pieces.map((x, i) => Math.abs(x - single[i]!)))).toBeLessThan(1e-5);
});

// ragged.test.ts: appends that give each sequence a number of tokens of its own.
import { describe, expect, test } from 'vitest';
import { createKvCache, decodeRows, readBack, ShapeError, uploadStorage } from '../../src/index.ts';
import { testDevice } from '../support/device.ts';
import { failure, message } from '../support/failure.ts';

const SHAPE = { batch: 3, numKvHeads: 2, headDim: 64, capacity: 8, kType: 'f16' } as const;
const ROWS = 4;

/** A cache of three sequences, and rows to append: element d of row n of head h is 64 h + 8 n + d % 8. */
async function threeSequences() {
  const device = await testDevice();
  const cache = await createKvCache(device, SHAPE);
  const values = Float32Array.from({ length: 6 * ROWS * 64 }, (_, i) => {
    const [head, n, d] = [Math.floor(i / 64 / ROWS), Math.floor(i / 64) % ROWS, i % 64];
    return 64 * head + 8 * n + (d % 8);
  });
  const rows = {
    k: uploadStorage(device, 'k', values),
    v: uploadStorage(device, 'v', values),
    numTokens: ROWS,
  };
  return { device, cache, rows };
}

type Made = Awaited<ReturnType<typeof threeSequences>>;

/** The row number of each token of each sequence in its first and second head: -1 where a slot is not of the head. */
async function rowsHeld({ device, cache }: Made): Promise<number[][]> {
  const { layout, layers } = cache;
  const k = decodeRows(layout.k, new Uint8Array(await readBack(device, layers[0]!.k)));
  return cache.kvLens().map((kvLen, b) =>
    Array.from({ length: kvLen }, (_, t) => {
      const [first, second] = [0, 1].map((hk) => {
        const head = 2 * b + hk;
        return k[(head * SHAPE.capacity + t) * 64]! - 64 * head;
      });
      return first === second ? first! / 8 : -1;
    }),
  );
}

test('each sequence takes the first of its rows, as many as were said', async () => {
  const made = await threeSequences();
  const { device, cache, rows } = made;
  const append = await cache.bindAppend(rows);
  const encoder = device.gpu.createCommandEncoder();
  append.record(encoder, { numTokens: [3, 0, 1] });
  append.record(encoder, { numTokens: [0, 4, 2] });
  append.record(encoder, { numTokens: [0, 0, 0] });
  append.record(encoder, { numTokens: 1 });
  device.gpu.queue.submit([encoder.finish()]);
  expect(cache.kvLens()).toEqual([4, 5, 4]);
  expect(await rowsHeld(made)).toEqual([
    [0, 1, 2, 0],
    [0, 1, 2, 3, 0],
    [0, 0, 1, 0],
  ]);
  await device.idle();
  expect((await cache.report()).appends).toEqual({ recorded: 4, executed: 4 });
  cache.destroy();
});

test('a full sequence is in nobody’s way', async () => {
  const made = await threeSequences();
  const { cache, rows } = made;
  await cache.append(rows, { numTokens: [4, 0, 0] });
  await cache.append(rows, { numTokens: [4, 0, 0] });
  const said = await message(ShapeError, () => cache.append(rows));
  expect(said).toBe('append: sequence 0 of layer 0 holds 8 tokens; 4 more exceed the capacity of 8');
  const counts = [0, 2, 4];
  const appended = cache.append(rows, { numTokens: counts });
  counts.fill(1); // what was said is what counts
  await appended;
  expect(cache.kvLens()).toEqual([8, 2, 4]);
  expect(await rowsHeld(made)).toEqual([
    [0, 1, 2, 3, 0, 1, 2, 3],
    [0, 1],
    [0, 1, 2, 3],
  ]);
  cache.destroy();
});

describe('a number of tokens that cannot be is refused, and nothing is counted', () => {
  test.each<[string, unknown, RegExp]>([
    ['more than there are rows', 5, /^append: numTokens: expected .* 0 to 4, got 5$/],
    ['the same of one sequence', [0, 5, 0], /^append: numTokens of sequence 1: expected .* 0 to 4, got 5$/],
    ['less than none', [0, 0, -1], /^append: numTokens of sequence 2: .* got -1$/],
    ['half a token', [0.5, 0, 0], /^append: numTokens of sequence 0: .* got 0.5$/],
    ['text', ['1', 0, 0], /^append: numTokens of sequence 0: .* got "1"$/],
    ['nothing', [0, null, 0], /^append: numTokens of sequence 1: .* got null$/],
    ['a hole', Array(3), /^append: numTokens of sequence 0: .* got undefined$/],
    ['two numbers', [1, 1], /^append: numTokens: expected 3 numbers, one per sequence, got 2$/],
  ])('%s', async (_name, numTokens, expected) => {
    const { device, cache, rows } = await threeSequences();
    const append = await cache.bindAppend(rows);
    const encoder = device.gpu.createCommandEncoder();
    const options = { numTokens } as { numTokens: number };
    expect(await message(ShapeError, () => append.record(encoder, options))).toMatch(expected);
    expect(await message(ShapeError, () => cache.append(rows, options))).toMatch(expected);
    expect([cache.kvLens(), cache.lengths.appends(0)]).toEqual([[0, 0, 0], 0]);
    cache.destroy();
  });

  test('options that are none', async () => {
    const { device, cache, rows } = await threeSequences();
    const append = await cache.bindAppend(rows);
    const encoder = device.gpu.createCommandEncoder();
    await failure(ShapeError, () => append.record(encoder, { tokens: 1 } as never));
    await failure(ShapeError, () => append.record(encoder, 2 as never));
    await failure(ShapeError, () => cache.append(rows, null as never));
    cache.destroy();
  });
});

// lengths.test.ts: one shape over the lengths where rounds, tiles, splits and sequences begin and end, by both templates.
// All of it is run-time numbers of the same few shaders.
import { describe, expect, test } from 'vitest';
import type { ProblemOptions } from '../../src/reference/problem.ts';
import { createDecoder, createKvCache } from '../../src/index.ts';
import { expectRight } from '../support/attend.ts';
import { testDevice } from '../support/device.ts';
import { TEMPLATES } from '../support/kernels.ts';
import { roundOf } from '../support/registersSizes.ts';

const control = { numQHeads: 8, numKvHeads: 2, headDim: 64 };

// A round of registers is 1 to 32 keys for this shape, a tile 32 or 64, a sequence split beyond 128, 256 or 1,024 keys; all with a key
// less and more.
const BORDERS = [1, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 511, 512, 513, 1023, 1024, 1025];
const PRIMES = [2, 7, 97, 509, 1021];

describe.each(TEMPLATES)('h8_kv2_d64 by %s', (kernel) => {
  test.each([...BORDERS, ...PRIMES])('%d keys', async (kvLen) => {
    await expectRight({ ...control, kvLens: [kvLen], seed: kvLen }, { kernel });
  });

  test('the borders above are the borders of this device', async () => {
    const device = await testDevice();
    const cache = await createKvCache(device, {
      numKvHeads: control.numKvHeads,
      headDim: control.headDim,
      capacity: 1024,
    });
    const decoder = await createDecoder(device, { numQHeads: control.numQHeads, cache, kernel });
    const { variant } = decoder.context;
    const step = variant.template === 'registers' ? roundOf(variant) : variant.tile;
    const { splitLen } = decoder.plan({ kvLens: [1] });
    // Rounds of one key begin and end everywhere.
    for (const border of step > 1 ? [step, splitLen] : [splitLen]) {
      expect(BORDERS).toEqual(expect.arrayContaining([border - 1, border, border + 1]));
    }
    decoder.destroy();
    cache.destroy();
  });

  test.each<[string, ProblemOptions]>([
    ['nothing at all', { ...control, kvLens: [0], capacity: 5 }],
    ['the last slot of a cache', { ...control, kvLens: [300], capacity: 300 }],
    ['one key in a large cache', { ...control, kvLens: [1], capacity: 2000 }],
    ['a cache much larger than its content', { ...control, kvLens: [200], capacity: 3001 }],
    ['three sequences, one empty', { ...control, batch: 3, kvLens: [129, 0, 300] }],
    ['three sequences, all empty', { ...control, batch: 3, kvLens: [0, 0, 0], capacity: 7 }],
    ['the longest first', { ...control, batch: 3, kvLens: [400, 1, 32] }],
    ['the longest last', { ...control, batch: 4, kvLens: [5, 128, 33, 1025], capacity: 1100 }],
    ['one sequence in one split, others in several', { ...control, batch: 3, kvLens: [1600, 20, 2000] }],
    ['many KV heads', { ...control, numQHeads: 28, numKvHeads: 7, batch: 2, kvLens: [40, 150] }],
  ])('%s', async (_name, problem) => {
    await expectRight(problem, { kernel });
  });
});

describe.each(TEMPLATES)('by %s any number of splits gives the right result', (kernel) => {
  test.each([1, 2, 3, 5, 8, 16])('%d', async (numSplits) => {
    const problem = { ...control, batch: 2, kvLens: [513, 70], capacity: 1100, seed: 3 };
    await expectRight(problem, { kernel, numSplits });
  });

  test('more splits than a sequence has tiles', async () => {
    const problem = { ...control, batch: 3, kvLens: [1000, 1, 0], capacity: 1100 };
    await expectRight(problem, { kernel, numSplits: 16 });
  });

  test('deterministic splits', async () => {
    const problem = { ...control, batch: 3, kvLens: [700, 3, 256], capacity: 900 };
    await expectRight(problem, { kernel, deterministic: true });
  });
});

describe.each(TEMPLATES)('smScale by %s', (kernel) => {
  test.each([1, 0, -0.125, 3, 1e-20])('%d', async (smScale) => {
    await expectRight({ ...control, kvLens: [150], smScale }, { kernel });
  });

  test('so large that one key takes all the weight', async () => {
    await expectRight({ ...control, kvLens: [150], smScale: 1000 }, { kernel });
  });
});

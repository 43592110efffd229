// headDims.test.ts: head dims from 8 to 512, and K and V of different ones, against float64: the sizes, group ratios and lengths
// that llama.cpp's and FlashInfer's own tests go through, each once and in pairs, not in all combinations: shaders take long to
// compile. By the kernel that the device chooses, by tiles and by plain.
import { describe, expect, test } from 'vitest';
import { createDecoder, createKvCache, readBack, uploadStorage } from '../../src/index.ts';
import type { KvType } from '../../src/numbers/elements.ts';
import { randomProblem } from '../../src/reference/problem.ts';
import { expectClose, expectRight } from '../support/attend.ts';
import { testDevice } from '../support/device.ts';

type Case = readonly [headDim: number, vHeadDim: number, groupSize: number, kType: KvType, vType: KvType];

/** One sequence without keys, and one key, which leaves out every key but the first of a split. */
const LENGTHS = [113, 0, 1, 2];

function problemOf([headDim, vHeadDim, groupSize, kType, vType]: Case, kvLens = LENGTHS) {
  const numKvHeads = 2;
  return {
    batch: kvLens.length,
    numQHeads: groupSize * numKvHeads,
    numKvHeads,
    headDim,
    vHeadDim,
    kvLens,
    kType,
    vType,
  };
}

const named = (cases: readonly Case[]) =>
  cases.map((each) => {
    const [d, dv, groupSize, kType, vType] = each;
    return [`${d}/${dv}, groups of ${groupSize}, ${kType}/${vType}`, each] as const;
  });

// Rows that end within a word of int8 and int4; lanes without a word; either row the longer one.
const CHOSEN: readonly Case[] = [
  [8, 24, 3, 'f32', 'int8'],
  [24, 8, 2, 'int8', 'int4'],
  [40, 40, 2, 'f16', 'f16'],
  [48, 16, 1, 'int4', 'bf16'],
  [72, 88, 1, 'int8', 'f16'],
  [192, 128, 1, 'bf16', 'int8'],
  [512, 320, 1, 'f16', 'f32'],
];

const TILES: readonly Case[] = [
  [40, 72, 2, 'int4', 'bf16'],
  [8, 320, 1, 'f32', 'bf16'],
  [512, 8, 1, 'int8', 'f16'],
];

const PLAIN: readonly Case[] = [
  [8, 8, 5, 'int8', 'int4'],
  [24, 512, 7, 'int4', 'int8'],
  [512, 40, 12, 'bf16', 'f32'],
];

describe('by the kernel that the device chooses', () => {
  test.each(named(CHOSEN))('%s', (_, each) => expectRight(problemOf(each), { numSplits: 3 }));

  // Shaders of the cases above.
  test.each(named([CHOSEN[1]!, CHOSEN[5]!]))('%s, 512 and 1,024 keys', (_, each) =>
    expectRight(problemOf(each, [1024, 512])),
  );
});

describe('by tiles', () => {
  test.each(named(TILES))('%s', (_, each) => expectRight(problemOf(each), { kernel: 'tiles', numSplits: 3 }));
});

describe('by plain', () => {
  test.each(named(PLAIN))('%s', (_, each) => expectRight(problemOf(each), { kernel: 'plain' }));
});

describe('a cache whose V has another head dim', () => {
  const shape = { batch: 2, numKvHeads: 2, headDim: 24, vHeadDim: 8 };
  const types = { kType: 'int8', vType: 'int4' } as const;

  test('takes rows of both by append, and a step over them is right', async () => {
    const device = await testDevice();
    const problem = randomProblem({ ...shape, numQHeads: 4, kvLens: [5, 5], ...types });
    using cache = await createKvCache(device, { ...shape, ...types, capacity: 5 });
    const buffer = (name: string, values: Float32Array<ArrayBuffer>) => uploadStorage(device, name, values);
    const [k, v] = [buffer('k', problem.k), buffer('v', problem.v)];
    await cache.append({ k, v, numTokens: 5 });
    using decoder = await createDecoder(device, { cache, numQHeads: 4 });
    expect(decoder.shape).toMatchObject(shape);
    const o = buffer('o', new Float32Array(4 * 2 * 8).fill(NaN));
    const lse = buffer('lse', new Float32Array(4 * 2).fill(NaN));
    const step = await decoder.bind({ q: buffer('q', problem.q), o, lse });
    step.run(decoder.plan({ kvLens: [5, 5] }));
    const read = async (from: GPUBuffer) => new Float32Array(await readBack(device, from));
    expectClose(problem, await read(o), await read(lse));
  });

  test('refuses rows of V as long as those of K, and an o as long as q', async () => {
    const device = await testDevice();
    using cache = await createKvCache(device, { ...shape, ...types, capacity: 5 });
    const rows = uploadStorage(device, 'rows', new Float32Array(2 * 2 * 24));
    await expect(cache.append({ k: rows, v: rows })).rejects.toThrow(/append: v: .*128.* got .*384/);
    expect(cache.kvLens()).toEqual([0, 0]);
    using decoder = await createDecoder(device, { cache, numQHeads: 2 });
    const o = uploadStorage(device, 'o', new Float32Array(2 * 2 * 24));
    await expect(decoder.bind({ q: rows, o })).rejects.toThrow(/bind: o: .*128.* got .*384/);
  });
});

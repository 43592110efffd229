// appendKv.test.ts: append_kv against its twin: which rows are written where, and that nothing else changes.
import { describe, test } from 'vitest';
import { normals } from '../../src/numbers/random.ts';
import { KV_TYPES } from '../../src/numbers/elements.ts';
import { check, CONTROL, pair } from '../support/appendedRows.ts';

describe.each(KV_TYPES)('append_kv to %s', (type) => {
  test.each([1, 2, 3, 4, 5])('%i tokens to ragged lengths, even and odd', (numTokens) =>
    check({ ...CONTROL, kvLens: [0, 1, 2, 3, 4], numTokens, capacity: 9 }, pair(type)),
  );
  test('a number of tokens per sequence, none among them, and one that is full', () =>
    check({ ...CONTROL, kvLens: [0, 9, 3, 6, 4], numTokens: 4, counts: [4, 0, 3, 0, 1] }, pair(type)));
  test('the last of several tokens into the last slot, of an odd and of an even capacity', async () => {
    await check({ ...CONTROL, kvLens: [4, 0, 2], numTokens: 5 }, pair(type));
    await check({ ...CONTROL, kvLens: [3, 0, 2], numTokens: 5, capacity: 8 }, pair(type));
  });
  test('a whole cache at once', async () => {
    await check({ ...CONTROL, kvLens: [0], numTokens: 9 }, pair(type));
    await check({ ...CONTROL, kvLens: [0], numTokens: 8, capacity: 8 }, pair(type));
  });
  test('slots past the capacity are dropped, and no other head is touched', async () => {
    await check({ ...CONTROL, kvLens: [7, 9, 8], numTokens: 4 }, pair(type));
    await check({ ...CONTROL, kvLens: [7, 8, 6], numTokens: 4, capacity: 8 }, pair(type));
  });
  test('many KV heads', () => check({ ...CONTROL, numKvHeads: 7 }, pair(type)));
  test('rows of very different magnitude', () => {
    const values = normals(5, 3 * 2 * 4 * 64).map((x, i) => x * 10 ** ((Math.floor(i / 64) % 7) - 3));
    return check({ ...CONTROL, numTokens: 4, kvLens: [1, 2, 5] }, pair(type), values);
  });
});

describe('append_kv of other head dims', () => {
  test.each([
    ['f32', 80],
    ['f16', 96],
    ['bf16', 112],
    ['int8', 80],
    ['int8', 192],
    ['int4', 80], // the last word of a row is half empty at 80 and 112
    ['int4', 112],
    ['int4', 96],
    ['int4', 256],
    ['f32', 8],
    ['f16', 24],
    ['bf16', 40],
    ['int8', 8], // the last word is half empty at 8, 24 and 72
    ['int8', 24],
    ['int8', 72],
    ['int4', 8],
    ['int4', 72],
    ['int4', 512],
  ] as const)('%s, %i', (type, headDim) =>
    check({ ...CONTROL, headDim, numTokens: 3, capacity: 11 }, pair(type)),
  );
});

// Either row may be the longer one: the last invocations of a slot have no part of the other.
describe('append_kv to K and V of different head dims', () => {
  test.each([
    ['f32', 'f16', 192, 128],
    ['bf16', 'int8', 128, 192],
    ['int8', 'int4', 64, 24],
    ['int4', 'int8', 8, 72],
    ['int4', 'f16', 8, 512],
    ['int8', 'int8', 512, 8],
    ['int4', 'int4', 40, 88],
  ] as const)('K %s, V %s, %i and %i', (kType, vType, headDim, vHeadDim) =>
    check({ ...CONTROL, headDim, vHeadDim, numTokens: 3, capacity: 11 }, [kType, vType]),
  );
});

describe('append_kv to K and V of different types', () => {
  test.each(KV_TYPES.map((kType, i) => [kType, KV_TYPES[(i + 1) % KV_TYPES.length]!] as const))(
    'K %s, V %s',
    (...types) => check({ ...CONTROL, numTokens: 2 }, types),
  );
  test.each([
    ['int8', 'f32'],
    ['f16', 'int4'],
  ] as const)('K %s, V %s', (...types) => check({ ...CONTROL, numTokens: 3 }, types));
});

// Every workgroup of one head has neighbours of the next that write next to it at the same time.
describe('append_kv of many heads at once', () => {
  test.each([
    ['int8', 2, 2],
    ['int4', 3, 3],
  ] as const)('%s, capacity %i, %i tokens', async (type, capacity, numTokens) => {
    const sizes = {
      ...CONTROL,
      kvLens: Array.from({ length: 16 }, () => 0),
      numKvHeads: 64,
      capacity,
      numTokens,
    };
    for (let time = 0; time < 3; time++) await check(sizes, pair(type));
  });
});

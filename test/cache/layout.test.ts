// layout.test.ts: bytes of a KV cache, counted by hand, and what its options may be.
import { describe, expect, test } from 'vitest';
import { cacheLayout, kvBytesRead, ShapeError, type CacheOptions } from '../../src/index.ts';
import { message } from '../support/failure.ts';

describe('cacheLayout', () => {
  test('one f32 layer', () => {
    // 1 sequence * 2 KV heads * 10 slots * 64 elements = 1,280 elements of 4 bytes, in K and in V.
    const layer = {
      numKvHeads: 2,
      headDim: 64,
      vHeadDim: 64,
      segments: 1,
      segmentHeads: 2,
      k: { type: 'f32', headDim: 64, heads: 2, capacity: 10 },
      v: { type: 'f32', headDim: 64, heads: 2, capacity: 10 },
      kScales: 320, // no scales: as many words as there are
      vScales: 320,
      kBytes: 5120,
      vBytes: 5120,
      bytesPerToken: 1024,
    };
    expect(cacheLayout({ numKvHeads: 2, headDim: 64, capacity: 10 })).toEqual({
      batch: 1,
      capacity: 10,
      layers: 1,
      kType: 'f32',
      vType: 'f32',
      ...layer,
      perLayer: [layer],
      totalBytes: 10240,
    });
  });

  test('a 32-layer f16 cache of Llama-3-8B shape takes 128 KiB a token', () => {
    const layout = cacheLayout({
      batch: 2,
      numKvHeads: 8,
      headDim: 128,
      capacity: 4096,
      layers: 32,
      kType: 'f16',
    });
    // 2 * 8 * 4,096 * 128 = 8,388,608 elements of 2 bytes; two buffers in each of 32 layers: 1 GiB.
    expect(layout.kBytes).toBe(16_777_216);
    expect(layout.vBytes).toBe(16_777_216);
    expect(layout.totalBytes).toBe(1_073_741_824);
    expect(layout.bytesPerToken).toBe(4096);
    expect(layout.bytesPerToken * layout.layers).toBe(128 * 1024);
  });

  test('K and V of different element types', () => {
    const layout = cacheLayout({
      batch: 3,
      numKvHeads: 1,
      headDim: 80,
      capacity: 7,
      layers: 2,
      kType: 'f16',
      vType: 'f32',
    });
    // 3 * 7 * 80 = 1,680 elements: 3,360 bytes of K, 6,720 bytes of V.
    expect(layout).toMatchObject({
      kBytes: 3360,
      vBytes: 6720,
      totalBytes: 20160,
      bytesPerToken: 480,
    });
  });

  test('quantised K and V: scales behind the rows, in whole words of 16 bytes', () => {
    const layout = cacheLayout({
      batch: 3,
      numKvHeads: 1,
      headDim: 80,
      capacity: 7,
      kType: 'int8',
      vType: 'int4',
    });
    // K: 21 rows of 80 bytes are 105 words; 3 heads * 8 scales of 2 bytes are 48.
    // V: 21 rows of three words; 21 * 4 scales of 2 bytes, one of them unused, are 168, in words 176.
    expect(layout).toMatchObject({
      k: { type: 'int8', headDim: 80, heads: 3, capacity: 7 },
      v: { type: 'int4', headDim: 80, heads: 3, capacity: 7 },
      kScales: 105,
      vScales: 63,
      kBytes: 1680 + 48,
      vBytes: 1008 + 176,
      bytesPerToken: 82 + 56,
    });
  });

  test('V has the type of K unless it is given', () => {
    expect(cacheLayout({ numKvHeads: 1, headDim: 64, capacity: 1, kType: 'f16' }).vType).toBe('f16');
    expect(cacheLayout({ numKvHeads: 1, headDim: 64, capacity: 1, vType: 'f16' }).kType).toBe('f32');
  });

  test('sizes past 2^32 bytes stay exact', () => {
    const layout = cacheLayout({
      batch: 4096,
      numKvHeads: 1024,
      headDim: 256,
      capacity: 2 ** 20,
      layers: 2,
      kType: 'f16',
    });
    // 2^12 * 2^10 * 2^8 * 2^20 = 2^50 elements
    expect(layout.kBytes).toBe(2 ** 51);
    expect(layout.totalBytes).toBe(2 ** 53);
  });
});

test('V of another head dim: its own rows, bytes and scales', () => {
  const layout = cacheLayout({
    batch: 2,
    numKvHeads: 3,
    headDim: 192,
    vHeadDim: 128,
    capacity: 10,
    kType: 'f16',
    vType: 'int8',
  });
  expect(layout).toMatchObject({
    headDim: 192,
    vHeadDim: 128,
    k: { type: 'f16', headDim: 192, heads: 6, capacity: 10 },
    v: { type: 'int8', headDim: 128, heads: 6, capacity: 10 },
    kBytes: 60 * 192 * 2,
    vScales: 60 * 8, // words of 16 bytes
    vBytes: 60 * 128 + 128, // 60 scales of two bytes, to whole words
    bytesPerToken: 3 * (384 + 128 + 2),
  });
});

test('kvBytesRead counts each token of each sequence once', () => {
  const layout = cacheLayout({ batch: 3, numKvHeads: 2, headDim: 64, capacity: 100, kType: 'f16' });
  // 100 + 0 + 7 tokens of 2 heads * 64 elements * (2 + 2) bytes
  expect(kvBytesRead(layout, [100, 0, 7])).toBe(107 * 512);
  expect(kvBytesRead(layout, [0, 0, 0])).toBe(0);
});

const good: CacheOptions = { numKvHeads: 2, headDim: 64, capacity: 16 };

describe('cacheLayout refuses', () => {
  test.each([
    ['numKvHeads', 0, 'cache: numKvHeads: expected a whole number from 1 to 1024, got 0'],
    ['numKvHeads', 1025, 'cache: numKvHeads: expected a whole number from 1 to 1024, got 1025'],
    ['numKvHeads', undefined, 'cache: numKvHeads: expected a whole number from 1 to 1024, got undefined'],
    ['batch', -1, 'cache: batch: expected a whole number from 1 to 4096, got -1'],
    ['batch', 1e9, 'cache: batch: expected a whole number from 1 to 4096, got 1000000000'],
    ['capacity', 0, 'cache: capacity: expected a whole number from 1 to 16777216, got 0'],
    ['capacity', 1.5, 'cache: capacity: expected a whole number from 1 to 16777216, got 1.5'],
    ['capacity', NaN, 'cache: capacity: expected a whole number from 1 to 16777216, got NaN'],
    ['capacity', Infinity, 'cache: capacity: expected a whole number from 1 to 16777216, got Infinity'],
    ['capacity', '16', 'cache: capacity: expected a whole number from 1 to 16777216, got "16"'],
    ['layers', 0, 'cache: layers: expected a whole number from 1 to 8192, got 0'],
    ['layers', 2.5, 'cache: layers: expected a whole number from 1 to 8192, got 2.5'],
    ['headDim', 0, 'cache: headDim: expected a multiple of 8 from 8 to 512, got 0'],
    ['headDim', 65, 'cache: headDim: expected a multiple of 8 from 8 to 512, got 65'],
    ['vHeadDim', 520, 'cache: vHeadDim: expected a multiple of 8 from 8 to 512, got 520'],
    ['headDim', -64, 'cache: headDim: expected a multiple of 8 from 8 to 512, got -64'],
    ['kType', 'int16', 'cache: kType must be one of f32, f16, bf16, int8, int4, got "int16"'],
    ['vType', 'f64', 'cache: vType must be one of f32, f16, bf16, int8, int4, got "f64"'],
    ['kType', 'toString', 'cache: kType must be one of f32, f16, bf16, int8, int4, got "toString"'],
  ])('%s: %s', async (field, value, expected) => {
    const options = { ...good, [field]: value } as CacheOptions;
    expect(await message(ShapeError, () => cacheLayout(options))).toBe(expected);
  });
});

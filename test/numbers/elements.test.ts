// elements.test.ts: bytes of the element types' rows and scales, counted by hand.
import { describe, expect, test } from 'vitest';
import {
  KV_TYPES,
  rowBytes,
  rowScaleBytes,
  rowWords,
  scalesStart,
  scaleStride,
  storedBytes,
  typesName,
  wordVec4s,
} from '../../src/numbers/elements.ts';
import { HEAD_DIMS } from '../support/shapes.ts';

describe('words of 16 bytes', () => {
  test.each([
    ['f32', 1, [16, 20, 24, 28, 32, 48, 64]],
    ['f16', 2, [8, 10, 12, 14, 16, 24, 32]],
    ['bf16', 2, [8, 10, 12, 14, 16, 24, 32]],
    ['int8', 4, [4, 5, 6, 7, 8, 12, 16]],
    ['int4', 8, [2, 3, 3, 4, 4, 6, 8]], // 80 and 112 elements end with half a word
  ] as const)('%s', (type, vec4s, words) => {
    expect(wordVec4s(type)).toBe(vec4s);
    expect(HEAD_DIMS.map((headDim) => rowWords(type, headDim))).toEqual(words);
  });
});

describe('bytes of a row with its scales', () => {
  test.each([
    ['f32', 64, 256, 0],
    ['f16', 80, 160, 0],
    ['bf16', 128, 256, 0],
    ['int8', 128, 130, 2],
    ['int4', 64, 36, 4], // two words, two scales
    ['int4', 80, 56, 8], // three words, three scales and an empty one
    ['int4', 112, 72, 8],
    ['int4', 256, 144, 16],
  ] as const)('%s, head dim %i', (type, headDim, bytes, scales) => {
    expect([rowBytes(type, headDim), rowScaleBytes(type, headDim)]).toEqual([bytes, scales]);
  });
});

describe('K or V of a layer', () => {
  // Three heads of five slots.
  test.each([
    ['f32', 64, 15 * 16, 15 * 256],
    ['f16', 80, 15 * 10, 15 * 160],
    ['int8', 64, 15 * 4, 15 * 64 + 48], // 3 heads * 6 scales of 2 bytes = 36, in whole words 48
    ['int4', 80, 15 * 3, 15 * 48 + 128], // 15 rows * 8 bytes = 120
  ] as const)('%s, head dim %i: scales begin at word %i, bytes %i', (type, headDim, start, bytes) => {
    const layout = { type, headDim, heads: 3, capacity: 5 };
    expect([scalesStart(layout), storedBytes(layout)]).toEqual([start, bytes]);
  });

  test('scales of two heads never share 32 bits', () => {
    for (const type of KV_TYPES) {
      for (const capacity of [1, 2, 7, 8]) {
        const layout = { type, headDim: 80, heads: 2, capacity };
        expect(scaleStride(layout)).toBeGreaterThanOrEqual(capacity);
        expect((scaleStride(layout) * rowScaleBytes(type, 80)) % 4).toBe(0);
      }
    }
  });
});

test('the name of a pair of types: one where they are alike, two in the order of K and V', () => {
  expect(typesName({ kType: 'f16', vType: 'f16' }, () => 'two')).toBe('f16');
  expect(typesName({ kType: 'int8', vType: 'f16' })).toBe('int8/f16');
  expect(typesName({ kType: 'int8', vType: 'f16' }, (k, v) => `k${k}_v${v}`)).toBe('kint8_vf16');
});

// rows.test.ts: which shapes a benchmark compares, and what they are called.
import { describe, expect, test } from 'vitest';
import {
  rowGroups,
  rowId,
  spectrum,
  testName,
  variantName,
  type RowOptions,
} from '../../../bench/run/rows.ts';
import { ShapeError } from '../../../src/index.ts';

const OPTIONS: RowOptions = {
  model: 'llama-3.1-8b',
  heads: 32,
  kvHeads: [32, 8, 1],
  headDim: 128,
  depths: [1024, 4096],
  batches: [1],
  kTypes: ['f16'],
  vTypes: ['f16'],
  caches: ['cold'],
  kernels: ['auto'],
};

describe('spectrum', () => {
  test('is all KV heads, those of the model, one', () => {
    expect(spectrum(32, 8)).toEqual([32, 8, 1]);
    expect(spectrum(71, 1)).toEqual([71, 1]);
  });

  test('has 8 groups, as in the paper, for a model without groups', () => {
    expect(spectrum(32, 32)).toEqual([32, 8, 1]);
    expect(spectrum(8, 8)).toEqual([8, 1]);
    expect(spectrum(12, 12)).toEqual([12, 1]);
  });
});

describe('rowGroups', () => {
  test('interleaves what has the same depth and batch', () => {
    const groups = rowGroups({ ...OPTIONS, batches: [1, 4] });
    expect(groups.map((group) => group.map(rowId))).toEqual([
      ['h32_kv32_d128_t1024_f16', 'h32_kv8_d128_t1024_f16', 'h32_kv1_d128_t1024_f16'],
      ['h32_kv32_d128_t4096_f16', 'h32_kv8_d128_t4096_f16', 'h32_kv1_d128_t4096_f16'],
      ['h32_kv32_d128_b4_t1024_f16', 'h32_kv8_d128_b4_t1024_f16', 'h32_kv1_d128_b4_t1024_f16'],
      ['h32_kv32_d128_b4_t4096_f16', 'h32_kv8_d128_b4_t4096_f16', 'h32_kv1_d128_b4_t4096_f16'],
    ]);
  });

  test('has each row once, whatever lists have twice', () => {
    const twice = { ...OPTIONS, depths: [1024, 1024], kvHeads: [8, 8], kTypes: ['f16', 'f16'] } as const;
    expect(rowGroups({ ...twice, kernels: ['plain', 'plain'] }).map((group) => group.map(rowId))).toEqual([
      ['h32_kv8_d128_t1024_f16_plain'],
    ]);
    expect(rowGroups({ ...OPTIONS, kvHeads: [8], requests: ['1q1s64', '1q1s64'] })).toHaveLength(1);
  });

  test('names kernel, mixed types and a capacity that is not the depth', () => {
    const one = { ...OPTIONS, depths: [1024], kvHeads: [8], capacity: 2048 };
    const [group] = rowGroups({ ...one, kernels: ['plain'], kTypes: ['f16', 'f32'] });
    expect(group!.map(rowId)).toEqual([
      'h32_kv8_d128_t1024_c2048_f16_plain',
      'h32_kv8_d128_t1024_c2048_kf32_vf16_plain',
    ]);
  });

  test('kernels and states of the cache multiply out beside each other', () => {
    const one = { ...OPTIONS, depths: [64], kvHeads: [8], kernels: ['auto', 'plain'] } as const;
    const [group] = rowGroups({ ...one, caches: ['cold', 'hot'] });
    expect(group!.map(rowId)).toEqual([
      'h32_kv8_d128_t64_f16',
      'h32_kv8_d128_t64_f16_hot',
      'h32_kv8_d128_t64_f16_plain',
      'h32_kv8_d128_t64_f16_hot_plain',
    ]);
  });

  test('requests take the place of batches and depths', () => {
    const groups = rowGroups({ ...OPTIONS, kvHeads: [8], requests: ['8q1s4k', '1q1s2k_3q1s100'] });
    expect(groups.map(([row]) => row)).toMatchObject([
      { batch: 8, depth: 4096, capacity: 4096, requests: '8q1s4k' },
      { batch: 4, depth: 2048, capacity: 2048, requests: '1q1s2k_3q1s100' },
    ]);
    expect(groups.flat().map(rowId)).toEqual(['h32_kv8_d128_8q1s4k_f16', 'h32_kv8_d128_1q1s2k_3q1s100_f16']);
    expect(groups.flat().map(testName)).toEqual(['attn @ 8q1s4k', 'attn @ 1q1s2k_3q1s100']);
  });

  test('lists of types for K and for V of the same length go in pairs', () => {
    const [group] = rowGroups({
      ...OPTIONS,
      depths: [64],
      kvHeads: [8],
      kTypes: ['f16', 'f32'],
      vTypes: ['f16', 'f32'],
    });
    expect(group!.map((row) => [row.kType, row.vType])).toEqual([
      ['f16', 'f16'],
      ['f32', 'f32'],
    ]);
  });

  test('refuses heads that do not divide, a depth over the capacity, an unknown kernel', () => {
    expect(() => rowGroups({ ...OPTIONS, kvHeads: [5] })).toThrow(
      'shape: numQHeads (32) must be a multiple of numKvHeads (5)',
    );
    expect(() => rowGroups({ ...OPTIONS, capacity: 2048 })).toThrow(
      'bench: depth: expected at most the capacity of 2048, got 4096',
    );
    expect(() => rowGroups({ ...OPTIONS, kernels: ['warp' as 'plain'] })).toThrow(ShapeError);
  });
});

test('variantName', () => {
  expect([32, 8, 1].map((kvHeads) => variantName({ heads: 32, kvHeads }))).toEqual(['mha', 'gqa', 'mqa']);
  expect(variantName({ heads: 1, kvHeads: 1 })).toBe('mha');
});

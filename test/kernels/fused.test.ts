// fused.test.ts: which template a device gets, what its variants are called, and which of them it cannot run.
import { describe, expect, test } from 'vitest';
import { FeatureMissingError, LimitExceededError, ShapeError } from '../../src/device/errors.ts';
import {
  checkVariant,
  chooseFused,
  chooseIn,
  fusedKernel,
  type FusedVariant,
  rowsPerWorkgroup,
  variantName,
  workgroupsPerItem,
} from '../../src/kernels/fused.ts';
import { evenBlocks, isPowerOfTwo, powerOfTwoFrom, powerOfTwoUpTo } from '../../src/kernels/sizes.ts';
import { GPU_FACTS, SOFTWARE_FACTS, withSubgroups } from '../support/deviceFacts.ts';
import { F32_ROWS } from '../support/rowFormats.ts';
import { shapeOf } from '../support/shapes.ts';

const CACHE = { kType: 'f16', vType: 'f16' } as const;
const SHAPE = shapeOf(8, 128);

const registers = {
  template: 'registers',
  wgSize: 128,
  lanes: 16,
  tokens: 2,
  teamRows: 4,
  blocks: 2,
  q: 'registers',
  code: 'gpu',
} as const;
const tiles = { template: 'tiles', wgSize: 64, tile: 32, rowBlock: 3, mixWords: 2 } as const;

test('registers wherever there are subgroups of four or more', () => {
  const template = (facts: typeof GPU_FACTS) => chooseFused(SHAPE, CACHE, facts).template;
  expect(template(GPU_FACTS)).toBe('registers');
  expect(template(withSubgroups(GPU_FACTS, 4))).toBe('registers');
  expect(template({ ...GPU_FACTS, subgroups: false })).toBe('tiles');
  expect(template({ ...GPU_FACTS, subgroupMinSize: 1 })).toBe('tiles');
  expect(template(SOFTWARE_FACTS)).toBe('registers');
  expect(template(withSubgroups(SOFTWARE_FACTS, 4))).toBe('registers');
  expect(template({ ...SOFTWARE_FACTS, subgroups: false })).toBe('tiles');
});

test('a template that is asked for is taken, or refused where the device has no subgroups', () => {
  expect(chooseIn('tiles', SHAPE, CACHE, GPU_FACTS).template).toBe('tiles');
  expect(chooseIn('registers', SHAPE, CACHE, withSubgroups(SOFTWARE_FACTS, 4)).template).toBe('registers');
  const without = () => chooseIn('registers', SHAPE, CACHE, { ...GPU_FACTS, subgroups: false });
  expect(without).toThrow(FeatureMissingError);
});

test('rows of a workgroup, workgroups of an item, names', () => {
  expect([registers, tiles].map(rowsPerWorkgroup)).toEqual([8, 3]);
  // Two KV heads of eight rows: one block each, or three.
  expect([registers, tiles].map((variant) => workgroupsPerItem(SHAPE, variant))).toEqual([2, 6]);
  expect([registers, tiles].map(variantName)).toEqual([
    'registers wg128 lanes16 tokens2 rows4x2 gpu',
    'tiles wg64 tile32 rows3 words2',
  ]);
  expect([registers, tiles].map((variant) => fusedKernel(SHAPE, CACHE, variant, F32_ROWS).name)).toEqual([
    'decode_registers',
    'decode_tiles',
  ]);
});

describe('checkVariant', () => {
  const check =
    (variant: FusedVariant, facts = GPU_FACTS) =>
    () =>
      checkVariant(SHAPE, CACHE, variant, facts);

  test('accepts what fits', () => {
    for (const variant of [registers, tiles]) expect(check(variant)).not.toThrow();
  });

  test.each([
    [
      { ...registers, wgSize: 512 },
      'decode_registers: maxComputeInvocationsPerWorkgroup needed 512, available 256',
    ],
    [{ ...tiles, wgSize: 512 }, 'decode_tiles: maxComputeInvocationsPerWorkgroup needed 512, available 256'],
    // 16 teams of 64 rows * 8 bytes, and 256 times a word of two vec4s.
    [
      { ...registers, wgSize: 256, teamRows: 64 },
      'decode_registers: maxComputeWorkgroupStorageSize needed 16400, available 16000',
    ],
    // 96 queries of 32 vec4s; 48 packs of two rows: 32 weights, 32 sums of products, 8 maxima, 8 sums and three more each;
    // o of four sets, two rows each of 32 vec4s.
    [
      { ...tiles, rowBlock: 96 },
      'decode_tiles: maxComputeWorkgroupStorageSize needed 85136, available 16000',
    ],
  ] as const)('refuses %j', (variant, message) => {
    const facts = { ...GPU_FACTS, maxWorkgroupStorage: 16000 };
    expect(check(variant, facts)).toThrow(LimitExceededError);
    expect(check(variant, facts)).toThrow(message);
  });

  test('refuses sizes the kernel is not made for, and registers without subgroups', () => {
    expect(check({ ...registers, tokens: 3 })).toThrow(ShapeError);
    expect(check({ ...tiles, tile: 20 })).toThrow(ShapeError);
    expect(check(registers, { ...GPU_FACTS, subgroups: false })).toThrow(FeatureMissingError);
  });

  test('refuses a template there is none of, by its name', () => {
    const other = { ...tiles, template: 'shuffle' } as unknown as FusedVariant;
    expect(check(other)).toThrow(ShapeError);
    expect(check(other)).toThrow('variant: template must be one of registers, tiles, prefill, got "shuffle"');
  });
});

describe('sizes.ts', () => {
  test('even blocks cover a count with as few as they can, all of about one size', () => {
    expect([1, 8, 9, 15, 16, 17, 71].map((count) => evenBlocks(count, 8))).toEqual([1, 8, 5, 8, 8, 6, 8]);
    for (let count = 1; count <= 200; count++) {
      for (const most of [1, 3, 8, 80]) {
        const size = evenBlocks(count, most);
        expect(size).toBeLessThanOrEqual(most);
        expect(Math.ceil(count / size)).toBe(Math.ceil(count / most));
      }
    }
  });

  test('powers of two', () => {
    expect([1, 2, 3, 4, 5, 127, 128, 129].map(powerOfTwoFrom)).toEqual([1, 2, 4, 4, 8, 128, 128, 256]);
    expect([1, 2, 3, 4, 5, 127, 128, 129].map(powerOfTwoUpTo)).toEqual([1, 2, 2, 4, 4, 64, 128, 128]);
    expect([1, 2, 64, 2 ** 31].every(isPowerOfTwo)).toBe(true);
    expect([0, 3, 6, -2, 0.5, NaN, Infinity, 2 ** 31 + 1].some(isPowerOfTwo)).toBe(false);
  });
});

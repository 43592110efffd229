// decodeSplitSizes.test.ts: the sizes chosen for decode_split: what they are, that they fit, and what is refused.
import { describe, expect, test } from 'vitest';
import { LimitExceededError } from '../../src/device/errors.ts';
import {
  checkSplitVariant,
  chooseSplitVariant,
  splitGrid,
  type SplitVariant,
  splitWorkgroupBytes,
} from '../../src/kernels/decodeSplit.ts';
import { checkShape, type GqaShape, HEAD_DIMS } from '../../src/kernels/shape.ts';
import { GPU_FACTS, SOFTWARE_FACTS } from '../support/deviceFacts.ts';

/** A shape of two KV heads with so many query rows each. */
function shapeOf(groupSize: number, headDim: number, qLen = 1): GqaShape {
  return checkShape({ numQHeads: 2 * groupSize, numKvHeads: 2, headDim, qLen });
}

const ALL_SHAPES = HEAD_DIMS.flatMap((headDim) =>
  [1, 2, 3, 4, 6, 7, 8, 12, 16, 24, 32, 48, 64, 71, 96, 128, 512].flatMap((groupSize) =>
    [1, 2, 3, 5, 8].map((qLen) => shapeOf(groupSize, headDim, qLen)),
  ),
);

describe('sizes', () => {
  test.each([
    [4, 64, { wgSize: 64, tile: 64, rowBlock: 4 }],
    [8, 128, { wgSize: 64, tile: 64, rowBlock: 8 }],
    [16, 128, { wgSize: 64, tile: 32, rowBlock: 16 }],
    [32, 64, { wgSize: 128, tile: 32, rowBlock: 32 }],
    [71, 64, { wgSize: 256, tile: 32, rowBlock: 71 }],
  ])('on a GPU, %i rows of head dim %i', (rows, headDim, sizes) => {
    expect(chooseSplitVariant(shapeOf(rows, headDim), GPU_FACTS)).toMatchObject(sizes);
  });

  test.each([
    [4, 64, { wgSize: 16, tile: 32, rowBlock: 4 }],
    [8, 128, { wgSize: 32, tile: 64, rowBlock: 8 }],
    [15, 80, { wgSize: 20, tile: 40, rowBlock: 8 }],
    [71, 256, { wgSize: 64, tile: 128, rowBlock: 8 }],
  ])('on a CPU, %i rows of head dim %i', (rows, headDim, sizes) => {
    expect(chooseSplitVariant(shapeOf(rows, headDim), SOFTWARE_FACTS)).toMatchObject(sizes);
  });

  test('subgroups are used where there are any and all invocations score the same rows', () => {
    expect(chooseSplitVariant(shapeOf(8, 64), GPU_FACTS).reduce).toBe('subgroup');
    expect(chooseSplitVariant(shapeOf(8, 64), { ...GPU_FACTS, subgroups: false }).reduce).toBe('workgroup');
    expect(chooseSplitVariant(shapeOf(8, 64), GPU_FACTS, 'workgroup').reduce).toBe('workgroup');
    expect(chooseSplitVariant(shapeOf(16, 64), GPU_FACTS).reduce).toBe('workgroup');
  });

  test.each([
    ['GPU', GPU_FACTS],
    ['CPU', SOFTWARE_FACTS],
  ])('on a %s every shape fits the limits that every WebGPU device has', (_, facts) => {
    const misfits = ALL_SHAPES.filter((shape) => {
      const variant = chooseSplitVariant(shape, facts);
      return (
        splitWorkgroupBytes(variant) > facts.maxWorkgroupStorage || variant.wgSize > facts.maxInvocations
      );
    });
    expect([...new Set(misfits.map(({ rowsPerKvHead }) => `${rowsPerKvHead} rows`))]).toEqual([]);
  });

  test.each([
    ['GPU', GPU_FACTS],
    ['CPU', SOFTWARE_FACTS],
  ])('on a %s blocks cover the rows, a workgroup a vector, and keys divide evenly', (_, facts) => {
    for (const shape of ALL_SHAPES) {
      const { wgSize, tile, rowBlock } = chooseSplitVariant(shape, facts);
      const blocks =
        splitGrid(shape, { reduce: 'workgroup', wgSize, tile, rowBlock }, 1)[1] / shape.numKvHeads;
      expect(blocks * rowBlock).toBeGreaterThanOrEqual(shape.rowsPerKvHead);
      expect((blocks - 1) * rowBlock).toBeLessThan(shape.rowsPerKvHead);
      expect(wgSize * 4).toBeGreaterThanOrEqual(shape.headDim);
      expect([wgSize % Math.min(tile, wgSize), tile % Math.min(tile, wgSize)]).toEqual([0, 0]);
    }
  });
});

describe('splitWorkgroupBytes', () => {
  test('counts weights, maxima and the sums of the sets', () => {
    // 4 * 32 weights and 4 maxima of 4 bytes; 16 sums of a vec4 and a number.
    expect(splitWorkgroupBytes({ reduce: 'workgroup', wgSize: 16, tile: 32, rowBlock: 4 })).toBe(
      512 + 16 + 320,
    );
  });
});

describe('splitGrid', () => {
  test('splits, row blocks of all KV heads, sequences', () => {
    const shape = checkShape({ batch: 3, numQHeads: 142, numKvHeads: 2, headDim: 64 });
    expect(splitGrid(shape, { reduce: 'workgroup', wgSize: 16, tile: 32, rowBlock: 8 }, 7)).toEqual([
      7, 18, 3,
    ]);
  });
});

describe('checkSplitVariant', () => {
  const variant: SplitVariant = { reduce: 'workgroup', wgSize: 512, tile: 32, rowBlock: 8 };

  test('refuses more invocations than the device has', () => {
    const check = () => checkSplitVariant(variant, 128, GPU_FACTS);
    expect(check).toThrow(LimitExceededError);
    expect(check).toThrow('decode_split: maxComputeInvocationsPerWorkgroup needed 512, available 256');
  });

  test('refuses more workgroup memory than the device has', () => {
    const check = () => checkSplitVariant({ ...variant, wgSize: 256, rowBlock: 96 }, 128, GPU_FACTS);
    expect(check).toThrow(LimitExceededError);
    expect(check).toThrow('decode_split: maxComputeWorkgroupStorageSize needed 17792, available 16384');
  });

  test('accepts what fits', () => {
    expect(() => checkSplitVariant({ ...variant, wgSize: 256 }, 128, GPU_FACTS)).not.toThrow();
  });
});

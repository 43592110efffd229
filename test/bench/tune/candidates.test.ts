// candidates.test.ts: the variants that a search tries: all of them run on the device, each differs in what it says.
import { describe, expect, test } from 'vitest';
import { neighbours, startVariants } from '../../../bench/tune/candidates.ts';
import { checkVariant, chooseFused, chooseIn, workgroupsPerItem } from '../../../src/kernels/fused.ts';
import { checkShape } from '../../../src/kernels/shape.ts';
import { GPU_FACTS, SOFTWARE_FACTS } from '../../support/deviceFacts.ts';

const F16 = { kType: 'f16', vType: 'f16' } as const;
const shapes = [1, 4, 8, 32, 71].map((numQHeads) => checkShape({ numQHeads, numKvHeads: 1, headDim: 128 }));

describe.each([
  ['a GPU', GPU_FACTS],
  ['a CPU', SOFTWARE_FACTS],
  ['a device without subgroups', { ...GPU_FACTS, subgroups: false }],
] as const)('on %s', (_, facts) => {
  test.each(shapes)('$rowsPerKvHead rows: starts with the default, then the other templates', (shape) => {
    const [first, ...others] = startVariants(shape, F16, facts);
    expect(first).toEqual(chooseFused(shape, F16, facts));
    expect(others.map(({ template }) => template)).toEqual(
      facts.subgroups ? [first!.template === 'tiles' ? 'registers' : 'tiles'] : [],
    );
  });

  test.each(shapes)('$rowsPerKvHead rows: every neighbour can run and is another one', (shape) => {
    for (const from of startVariants(shape, F16, facts)) {
      const lists = neighbours(from, shape, F16, facts);
      expect(lists.flat().length).toBeGreaterThan(4);
      for (const variant of lists.flat()) {
        expect(variant).not.toEqual(from);
        expect(() => checkVariant(shape, F16, variant, facts)).not.toThrow();
      }
    }
  });
});

test('rows of a KV head that are spread over workgroups stay so, but where that itself is tried', () => {
  const shape = checkShape({ numQHeads: 32, numKvHeads: 1, headDim: 128 });
  const from = chooseIn('registers', shape, F16, GPU_FACTS);
  expect(workgroupsPerItem(shape, from)).toBe(2);
  const counts = neighbours(from, shape, F16, GPU_FACTS).map((list) =>
    list.map((variant) => workgroupsPerItem(shape, variant)),
  );
  const fewer = counts.filter((list) => list.some((count) => count < 2));
  expect(fewer).toEqual([expect.arrayContaining([1, 4])]);
});

test('rows are spread evenly over blocks, and no team serves more than the whole group', () => {
  const shape = checkShape({ numQHeads: 12, numKvHeads: 1, headDim: 128 });
  const from = chooseIn('registers', shape, F16, GPU_FACTS);
  for (const variant of neighbours(from, shape, F16, GPU_FACTS).flat()) {
    if (variant.template !== 'registers') throw new Error('another template');
    expect(variant.teamRows * variant.blocks).toBeGreaterThanOrEqual(Math.min(12, variant.teamRows));
    expect(variant.teamRows).toBeLessThanOrEqual(12);
    expect(variant.lanes * variant.blocks).toBeLessThanOrEqual(variant.wgSize);
  }
});

// productVariants.test.ts: sizes of products by what a device and a product's form leave room for.
import { describe, expect, test } from 'vitest';
import { fittedTo, productVariants } from '../../src/kernels/model/variants.ts';
import { GPU_KIND } from '../support/modelKernels.ts';

const CPU_KIND = { software: true, subgroups: true, subgroupMinSize: 8, subgroupMaxSize: 8 } as const;

describe('rows that a product takes at a time', () => {
  const { one } = productVariants(GPU_KIND, 4);

  test('on a GPU the means of a LayerNorm leave room for two, beside two matrices', () => {
    expect(one.rows).toBe(4);
    expect(fittedTo(one, { matrices: 2 }, { norm: 'layer' })).toEqual({ ...one, rows: 2 });
    const { one: single } = productVariants(GPU_KIND, 1);
    expect(fittedTo(single, { matrices: 2 }, { norm: 'layer' }).rows).toBe(1);
  });

  test.each([
    [{ matrices: 1 }, { norm: 'layer' }],
    [{ matrices: 2 }, { norm: 'rms' }],
    [{ matrices: 2 }, {}],
  ] as const)('with %o and %o it takes all', (sizes, form) => {
    expect(fittedTo(one, sizes, form)).toBe(one);
  });

  test('and on a CPU', () => {
    const { one: ofCpu } = productVariants(CPU_KIND, 4);
    expect(fittedTo(ofCpu, { matrices: 2 }, { norm: 'layer' })).toBe(ofCpu);
  });
});

// residency.test.ts: workgroups that a device's cores run side by side, worked out by hand.
import { describe, expect, test } from 'vitest';
import { profileOf } from '../../src/kernels/profile.ts';
import { registerBudget, residentWorkgroups, rowBlocksOf } from '../../src/kernels/residency.ts';
import { checkShape } from '../../src/kernels/shape.ts';
import { GPU_FACTS, SOFTWARE_FACTS } from '../support/deviceFacts.ts';

const of = (vendor: string) => ({ ...GPU_FACTS, vendor });

describe('resident workgroups', () => {
  // 128 cores of 65,536 registers and 512 invocations.
  test.each([
    [64, 128, 512],
    [128, 128, 512],
    [129, 128, 384],
    [170, 128, 384],
    [171, 128, 256],
    [255, 128, 256],
    [128, 256, 256],
    [129, 256, 128],
    [128, 64, 1024],
    [171, 64, 640],
    [255, 1024, 128],
  ])('NVIDIA: %i registers, workgroups of %i: %i', (registers, wgSize, workgroups) => {
    expect(residentWorkgroups(profileOf(GPU_FACTS), registers, wgSize)).toBe(workgroups);
  });

  test.each([
    ['nvidia', 128, 512],
    ['amd', 128, 512],
    ['apple', 104, 256],
    ['intel', 64, 128],
    ['qualcomm', 96, 64],
    ['', 96, 256],
  ])('"%s": registers up to %i cost no workgroup of %i', (vendor, budget, workgroups) => {
    const profile = profileOf(of(vendor));
    expect(registerBudget(profile)).toBe(budget);
    expect(residentWorkgroups(profile, budget, 128)).toBe(workgroups);
    expect(residentWorkgroups(profile, budget + 1, 128)).toBeLessThan(workgroups);
  });

  test('a core of a CPU runs one workgroup, whatever it is', () => {
    for (const registers of [1, 64, 1e6]) {
      expect(residentWorkgroups(profileOf(SOFTWARE_FACTS), registers, 128)).toBe(4);
    }
  });
});

describe('row blocks', () => {
  // 8,192 tokens are 256 splits of 32 keys: one KV head needs two row blocks to fill 512 slots.
  test.each([
    [{ numQHeads: 32, numKvHeads: 1 }, 2],
    [{ numQHeads: 2, numKvHeads: 1 }, 2],
    [{ numQHeads: 1, numKvHeads: 1 }, 1],
    [{ numQHeads: 1, numKvHeads: 1, qLen: 4 }, 2],
    [{ numQHeads: 32, numKvHeads: 2 }, 1],
    [{ numQHeads: 32, numKvHeads: 1, batch: 2 }, 1],
    [{ numQHeads: 32, numKvHeads: 8 }, 1],
  ])('%j: %i', (options, blocks) => {
    const shape = checkShape({ ...options, headDim: 128 });
    expect(rowBlocksOf(shape, GPU_FACTS)).toBe(blocks);
    expect(rowBlocksOf(shape, of('intel'))).toBe(1);
    expect(rowBlocksOf(shape, SOFTWARE_FACTS)).toBe(1);
  });
});

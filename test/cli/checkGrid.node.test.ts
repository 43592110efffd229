// checkGrid.node.test.ts: which cases `gqa check` has, and which runs come of them.
import { describe, expect, test } from 'vitest';
import { CHECK_CASES, checkCase, quickCases, SOFTWARE_CASES, type CheckCase } from '../../bench/cases.ts';
import { planChecks, type CheckOptions } from '../../bench/check.ts';
import type { DeviceFacts } from '../../src/device/gqaDevice.ts';
import { GPU_FACTS, SOFTWARE_FACTS } from '../support/deviceFacts.ts';

const SMALL = { numQHeads: 8, numKvHeads: 2, headDim: 64, kvLens: [9] };

describe('cases', () => {
  const values = (pick: (each: CheckCase['problem']) => number | undefined, grid = CHECK_CASES) =>
    [...new Set(grid.map(({ problem }) => pick(problem) ?? 1))].toSorted((a, b) => a - b);

  test('names say all that differs from the defaults', () => {
    const name = (problem: Partial<CheckCase['problem']>) => checkCase({ ...SMALL, ...problem }).name;
    expect(name({ numQHeads: 32, numKvHeads: 8, headDim: 128, kvLens: [4096], kType: 'f16' })).toBe(
      'h32_kv8_d128_t4096_f16',
    );
    expect(name({ batch: 3, kvLens: [257, 0, 63], qLen: 5, causal: false, kType: 'f16', vType: 'f32' })).toBe(
      'b3_h8_kv2_d64_t257-0-63_q5_full_f16-f32',
    );
  });

  test('the grid has every group size, head dim, query count and kind of length, each with f16 and f32', () => {
    expect(values((p) => p.numQHeads / p.numKvHeads)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 32, 71]);
    expect(values((p) => p.headDim)).toEqual([64, 80, 96, 112, 128, 192, 256]);
    expect(values((p) => p.qLen)).toEqual([1, 2, 5, 8]);
    expect(values((p) => p.kvLens[0])).toEqual([
      1, 3, 31, 32, 33, 63, 64, 65, 127, 128, 129, 131, 257, 509, 997, 1000,
    ]);
    expect(CHECK_CASES.map(({ name }) => name)).toContain('b3_h8_kv2_d128_t257-0-63_f32');
    expect(CHECK_CASES.map(({ name }) => name)).toContain('h8_kv2_d128_t257_q5_full_f16');
    expect(CHECK_CASES.filter(({ name }) => name.endsWith('_f16'))).toHaveLength(CHECK_CASES.length / 2);
    expect(new Set(CHECK_CASES.map(({ name }) => name)).size).toBe(CHECK_CASES.length);
  });

  test('the grid for software adapters leaves out combinations, not values', () => {
    for (const pick of [
      (p: CheckCase['problem']) => p.numQHeads / p.numKvHeads,
      (p: CheckCase['problem']) => p.headDim,
      (p: CheckCase['problem']) => p.qLen,
      (p: CheckCase['problem']) => p.kvLens[0],
    ]) {
      expect(values(pick, SOFTWARE_CASES)).toEqual(values(pick));
    }
    const names = SOFTWARE_CASES.map(({ name, variants = 'all' }) => `${name} ${variants}`);
    expect(names).toContain('h8_kv2_d128_t997_f32 all');
    expect(names).toContain('h16_kv2_d128_t257_f16 chosen');
    expect(names.join()).not.toContain('h16_kv2_d128_t257_f32');
  });

  test('quick is a fifth, with the control case', () => {
    expect(quickCases(CHECK_CASES)).toHaveLength(Math.ceil(CHECK_CASES.length / 5));
    expect(quickCases(CHECK_CASES)[0]!.name).toBe('h8_kv2_d128_t257_f16');
  });
});

describe('planChecks', () => {
  const plan = (facts: DeviceFacts, problem: CheckCase['problem'], more: Partial<CheckOptions> = {}) =>
    planChecks(facts, { cases: [checkCase(problem)], ...more }).map(
      ({ kernel, variant }) => `${kernel} ${variant?.reduce ?? ''}`,
    );

  test('with and without subgroups, and plain', () => {
    expect(plan(SOFTWARE_FACTS, SMALL)).toEqual(['fused subgroup', 'fused workgroup', 'plain ']);
    expect(plan({ ...GPU_FACTS, subgroups: false }, SMALL)).toEqual(['fused workgroup', 'plain ']);
    expect(plan(GPU_FACTS, SMALL, { kernels: ['fused'] })).toEqual(['fused subgroup', 'fused workgroup']);
    expect(plan(GPU_FACTS, SMALL, { kernels: ['plain'] })).toEqual(['plain ']);
  });

  test('no subgroups where invocations of a subgroup would have different rows', () => {
    expect(plan(GPU_FACTS, { ...SMALL, numQHeads: 64 })).toEqual(['fused workgroup', 'plain ']);
  });

  test('the chosen variant alone where a case asks for it', () => {
    const cases = [{ ...checkCase(SMALL), variants: 'chosen' as const }];
    expect(planChecks(SOFTWARE_FACTS, { cases }).map(({ variant }) => variant?.reduce)).toEqual([
      'subgroup',
      undefined,
    ]);
  });
});

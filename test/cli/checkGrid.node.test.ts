// checkGrid.node.test.ts: which cases `gqa check` has, and which runs come of them.
import { describe, expect, test } from 'vitest';
import { CHECK_CASES, quickCases, SOFTWARE_CASES } from '../../bench/check/cases.ts';
import { checkCase, elementName, type CheckCase } from '../../bench/check/checkCase.ts';
import { planChecks, type CheckOptions } from '../../bench/check/check.ts';
import type { DeviceFacts } from '../../src/device/deviceFacts.ts';
import { KV_TYPES } from '../../src/numbers/elements.ts';
import { chooseIn } from '../../src/kernels/fused.ts';
import { checkShape } from '../../src/kernels/shape.ts';
import { GPU_FACTS, SOFTWARE_FACTS } from '../support/deviceFacts.ts';
import { HEAD_DIMS } from '../support/shapes.ts';

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

  const GROUPS = [1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 32, 71];
  const group = (p: CheckCase['problem']) => p.numQHeads / p.numKvHeads;

  test('the grid has every group size, head dim, query count and kind of length, each with f16 and f32', () => {
    for (const type of ['f16', 'f32']) {
      const grid = CHECK_CASES.filter(
        ({ problem: { kType, vType = kType } }) => kType === type && vType === type,
      );
      expect(values(group, grid)).toEqual(GROUPS);
      expect(values((p) => p.headDim, grid)).toEqual([8, 24, 40, 64, 80, 96, 112, 128, 192, 256, 512]);
      expect(values((p) => p.qLen, grid)).toEqual([1, 2, 5, 8]);
      expect(values((p) => p.kvLens[0], grid)).toEqual([
        1, 3, 20, 31, 32, 33, 63, 64, 65, 127, 128, 129, 131, 255, 256, 257, 509, 997, 1000, 1023, 1024, 1025,
      ]);
    }
    const names = CHECK_CASES.map(({ name }) => name);
    expect(names).toContain('b3_h8_kv4_d64_t257-0-63_f32');
    expect(names).toContain('h8_kv4_d64_t257_q5_full_f16');
    expect(names).toContain('h8_kv4_d192-128_t257_f16');
    expect(new Set(names).size).toBe(names.length);
    expect(CHECK_CASES.every(({ variants }) => variants === undefined)).toBe(true);
  });

  test.each(KV_TYPES)('%s: the control case, a border, a long sequence and every head dim', (type) => {
    const names = CHECK_CASES.map(({ name }) => name);
    for (const length of [257, 129, 1000]) expect(names).toContain(`h8_kv4_d64_t${length}_${type}`);
    for (const headDim of HEAD_DIMS) expect(names).toContain(`h8_kv4_d${headDim}_t257_${type}`);
  });

  test('K and V of different types', () => {
    const mixed = CHECK_CASES.filter(({ problem: { kType, vType = kType } }) => kType !== vType);
    expect(mixed.map(({ name }) => name.replace(/.*_/, ''))).toEqual(['f32-bf16', 'f16-int8', 'int8-int4']);
  });

  test('the grid for software adapters leaves out combinations, not values', () => {
    for (const pick of [
      group,
      (p: CheckCase['problem']) => p.headDim,
      (p: CheckCase['problem']) => p.qLen,
      (p: CheckCase['problem']) => p.kvLens[0],
      (p: CheckCase['problem']) => KV_TYPES.indexOf(p.kType!),
      (p: CheckCase['problem']) => KV_TYPES.indexOf(p.vType ?? p.kType!),
    ]) {
      expect(values(pick, SOFTWARE_CASES)).toEqual(values(pick));
    }
    const names = SOFTWARE_CASES.map(({ name, variants = 'all' }) => `${name} ${variants}`);
    expect(names).toContain('h8_kv4_d64_t997_f32 all');
    expect(names).toContain('h16_kv2_d64_t257_f16 all');
    expect(names).toContain('h8_kv4_d128_t257_f16 chosen');
    expect(names.join()).not.toContain('h16_kv2_d64_t257_f32');
  });

  test('on software adapters too every template runs every group size, and every type at control, border and long', () => {
    const full = SOFTWARE_CASES.filter(({ variants }) => variants === undefined);
    expect(values(group, full)).toEqual(GROUPS);
    const names = full.map(({ name }) => name);
    for (const type of KV_TYPES) {
      for (const length of [257, 129, 1000]) expect(names).toContain(`h8_kv4_d64_t${length}_${type}`);
    }
  });

  test.each([
    ['whole', CHECK_CASES],
    ['software', SOFTWARE_CASES],
  ])('quick is about a fifth of the %s grid, with the control case and every element type', (_, grid) => {
    const quick = quickCases(grid);
    expect(quick[0]!.name).toBe('h8_kv4_d64_t257_f16');
    expect(quick.length / grid.length).toBeLessThan(0.3);
    const types = (cases: readonly CheckCase[]) => new Set(cases.map(({ problem }) => elementName(problem)));
    expect(types(quick)).toEqual(types(grid));
    for (const type of KV_TYPES) expect(types(quick)).toContain(type);
  });
});

describe('planChecks', () => {
  const plan = (facts: DeviceFacts, problem: CheckCase['problem'], more: Partial<CheckOptions> = {}) =>
    planChecks(facts, { cases: [checkCase(problem)], ...more }).map(({ kernel, variant }) => {
      expect(variant?.template).toBe(kernel === 'plain' ? undefined : kernel);
      return kernel;
    });

  test('every template that the device can run, and plain', () => {
    expect(plan(SOFTWARE_FACTS, SMALL)).toEqual(['registers', 'tiles', 'plain']);
    expect(plan({ ...GPU_FACTS, subgroups: false }, SMALL)).toEqual(['tiles', 'plain']);
    expect(plan(GPU_FACTS, { ...SMALL, numQHeads: 142, kType: 'int4' })).toEqual([
      'registers',
      'tiles',
      'plain',
    ]);
    expect(plan(GPU_FACTS, SMALL, { kernels: ['tiles', 'registers'] })).toEqual(['tiles', 'registers']);
    expect(plan(GPU_FACTS, SMALL, { kernels: ['plain'] })).toEqual(['plain']);
  });

  test('in the sizes that the device would take', () => {
    const [registers, tiles] = planChecks(GPU_FACTS, { cases: [checkCase(SMALL)] });
    const { numQHeads, numKvHeads, headDim } = SMALL;
    const shape = checkShape({ numQHeads, numKvHeads, headDim });
    const cache = { kType: 'f32', vType: 'f32' } as const;
    expect(registers!.variant).toEqual(chooseIn('registers', shape, cache, GPU_FACTS));
    expect(tiles!.variant).toEqual(chooseIn('tiles', shape, cache, GPU_FACTS));
  });

  test('the chosen template alone where a case asks for it', () => {
    const cases = [{ ...checkCase(SMALL), variants: 'chosen' as const }];
    const kernels = (facts: DeviceFacts) => planChecks(facts, { cases }).map(({ kernel }) => kernel);
    expect(kernels(SOFTWARE_FACTS)).toEqual(['registers', 'plain']);
    expect(kernels({ ...SOFTWARE_FACTS, subgroups: false })).toEqual(['tiles', 'plain']);
  });
});

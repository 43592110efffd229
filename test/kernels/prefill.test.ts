// prefill.test.ts: prefill against its twin: element types, group sizes, masks, the sizes for each kind of device.
import { expect, describe, test } from 'vitest';
import { ShapeError } from '../../src/device/errors.ts';
import { checkVariant, workgroupsPerItem } from '../../src/kernels/fused.ts';
import { choosePrefill, prefillKernel } from '../../src/kernels/prefill.ts';
import { checkShape } from '../../src/kernels/shape.ts';
import { shapeOf, type StoredProblem } from '../../src/reference/problem.ts';
import { prefill } from '../reference/prefill.ts';
import { testDevice } from '../support/device.ts';
import { GPU_FACTS, SOFTWARE_FACTS } from '../support/deviceFacts.ts';
import { checkBorders, type Fused, type Given, givenName } from '../support/fusedCases.ts';
import { F32_ROWS } from '../support/rowFormats.ts';

const device = await testDevice();

const F16 = { kType: 'f16', vType: 'f16' } as const;

const CASES: readonly (readonly ['gpu' | 'cpu', Given])[] = [
  ['gpu', { groupSize: 4, headDim: 64, qLen: 9, types: ['f16', 'f16'] }],
  ['cpu', { groupSize: 4, headDim: 32, qLen: 9, types: ['f16', 'f16'] }],
  ['cpu', { groupSize: 1, headDim: 128, qLen: 9, causal: false, types: ['int4', 'bf16'] }],
];

describe('prefill', () => {
  test.each(CASES.map(([kind, given]) => [`${givenName(given)} ${kind}`, kind, given] as const))(
    '%s',
    async (_, kind, given) => {
      const facts = kind === 'gpu' ? GPU_FACTS : SOFTWARE_FACTS;
      const fusedOf = (problem: StoredProblem): Fused => {
        const shape = shapeOf(problem);
        const variant = choosePrefill(shape, problem, facts);
        checkVariant(shape, problem, variant, device.facts);
        return {
          kernel: prefillKernel(shape, problem, variant, F32_ROWS),
          workgroups: workgroupsPerItem(shape, variant),
          twin: prefill,
        };
      };
      await checkBorders(device, given, 32, fusedOf);
    },
  );

  test.each([8, 72, 128, 256, 512])('sizes for D %d fit 16 KiB of workgroup memory', (headDim) => {
    const shape = shapeOf({ numQHeads: 4, numKvHeads: 1, headDim, qLen: 9 });
    for (const facts of [GPU_FACTS, SOFTWARE_FACTS, { ...GPU_FACTS, vendor: 'intel' }]) {
      const small = { ...facts, maxWorkgroupStorage: 16384 };
      const variant = choosePrefill(shape, F16, small);
      expect(() => checkVariant(shape, F16, variant, small)).not.toThrow();
    }
  });

  // What a row and key have to be known by takes the registers of rows on Intel, whose compiler spilled.
  test.each([
    [{}, 'f16', 'f16', 128, 4],
    [{ window: 1024 }, 'f16', 'f16', 128, 4],
    [{ window: 1024 }, 'int8', 'int8', 128, 4],
    [{ window: 1024 }, 'f16', 'f16', 72, 2],
    [{ window: 1024, bias: true }, 'f16', 'f16', 128, 2],
    [{}, 'int8', 'f16', 128, 4],
    [{ window: 1024 }, 'int8', 'f16', 128, 2],
    [{}, 'int8', 'int8', 128, 4],
  ] as const)(
    'with features %o, %s and %s of %i elements, %i rows an invocation',
    (features, kType, vType, headDim, rows) => {
      const shape = checkShape({ numQHeads: 4, numKvHeads: 1, headDim, qLen: 9, features });
      const cache = { kType, vType };
      expect(choosePrefill(shape, cache, { ...GPU_FACTS, vendor: 'intel' }).rows).toBe(rows);
      expect(choosePrefill(shape, cache, { ...GPU_FACTS, vendor: 'amd' }).rows).toBe(headDim === 72 ? 4 : 8);
    },
  );

  test('sizes whose invocations do not come out are refused', () => {
    const shape = shapeOf({ numQHeads: 4, numKvHeads: 1, headDim: 64, qLen: 9 });
    const check = (size: object) => () =>
      checkVariant(
        shape,
        { kType: 'f32', vType: 'f32' },
        { ...choosePrefill(shape, F16, GPU_FACTS), ...size },
        GPU_FACTS,
      );
    expect(check({})).not.toThrow();
    for (const size of [{ wgSize: 32 }, { rows: 3 }, { keys: 5 }]) expect(check(size)).toThrow(ShapeError);
  });
});

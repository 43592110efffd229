// decodeMatrix.test.ts: decode_matrix against its twin, its products by plain loops: no test machine has matrices.
import { describe, expect, test } from 'vitest';
import source from '../../shaders/attention/decode_matrix.wgsl?raw';
import { type StoredProblem, shapeOf } from '../../src/reference/problem.ts';
import { FeatureMissingError, ShapeError } from '../../src/device/errors.ts';
import { link } from '../../src/device/wgsl.ts';
import {
  chooseMatrix,
  decodeMatrix as decodeMatrixKernel,
  matrixConsts,
  matrixWorkgroupBytes,
  type MatrixVariant,
} from '../../src/kernels/decodeMatrix.ts';
import { checkVariant, variantName, workgroupsPerItem } from '../../src/kernels/fused.ts';
import { featureLibs } from '../../src/kernels/features.ts';
import { NUMBERS, ROWS_IN_ONE, STEP, SUBGROUP } from '../../src/kernels/lib.ts';
import { workLibs } from '../../src/kernels/rowFormats.ts';
import { checkShape } from '../../src/kernels/shape.ts';
import { decodeMatrix } from '../reference/decodeMatrix.ts';
import { testDevice } from '../support/device.ts';
import { GPU_FACTS } from '../support/deviceFacts.ts';
import { checkBorders, type Fused, type Given, givenName } from '../support/fusedCases.ts';
import { describeRunTimeNumbers } from '../support/fusedNumbers.ts';
import { F32_ROWS } from '../support/rowFormats.ts';
import { EMULATED_MATRIX } from '../support/matrixEmulation.ts';

const device = await testDevice();

interface Case extends Given {
  readonly variant: MatrixVariant;
}

const F16 = ['f16', 'f16'] as const;
const sizes = (wgSize: number, tile: number, rowBlock: number, unit: number) => ({
  variant: { template: 'matrix', wgSize, tile, rowBlock, unit } as const,
});

const CONTROL: Case = { groupSize: 4, headDim: 64, types: F16, ...sizes(32, 16, 4, 8) };

/** The kernel with its products in plain loops, its teams no wider than the device's subgroups. */
function fusedOf({ variant }: Case): (problem: StoredProblem) => Fused {
  return (problem) => {
    const shape = shapeOf(problem);
    const lanes = Math.min(8, device.facts.subgroupMinSize);
    const consts = { ...matrixConsts(shape, variant), LANES: lanes, TEAM_KEYS: variant.tile / lanes };
    const own = [STEP, NUMBERS, ROWS_IN_ONE, EMULATED_MATRIX, SUBGROUP];
    const libs = [...own, ...workLibs(F32_ROWS), ...featureLibs(shape)];
    return {
      kernel: {
        name: 'decode_matrix',
        source: link({ kernel: source, enables: ['subgroups'], libs, consts }),
      },
      workgroups: workgroupsPerItem(shape, variant),
      twin: (given, items, round) => decodeMatrix(given, items, round),
    };
  };
}

const CASES: readonly Case[] = [
  CONTROL,
  // Matrices of 16, whose sixteen rows eight rows take; tiles of two and of four matrices.
  { ...CONTROL, groupSize: 8, ...sizes(64, 16, 8, 16) },
  { ...CONTROL, groupSize: 6, ...sizes(64, 32, 3, 8) },
  // Rows that leave part of a matrix, and part of the last block, empty.
  { ...CONTROL, groupSize: 5, ...sizes(32, 16, 3, 8) },
  { ...CONTROL, groupSize: 3, qLen: 3, ...sizes(32, 16, 4, 16) },
  { ...CONTROL, groupSize: 2, qLen: 2, causal: false, ...sizes(32, 16, 4, 8) },
  { ...CONTROL, groupSize: 5, headDim: 80, ...sizes(32, 16, 3, 8) },
];

const steps = (c: Case) => c.variant.tile;

describe.runIf(device.facts.subgroups)('decode_matrix', () => {
  test.each(CASES.map((c) => [`${variantName(c.variant)} on ${givenName(c)}`, c] as const))('%s', (_, c) =>
    checkBorders(device, c, steps(c), fusedOf(c)),
  );
});

// Two f16 hold 22 of a query's 24 bits: with scores of a hundred that shows.
if (device.facts.subgroups) describeRunTimeNumbers('decode_matrix', device, CONTROL, fusedOf(CONTROL), 4);

describe('sizes', () => {
  const shape = checkShape({ numQHeads: 32, numKvHeads: 4, headDim: 128 });
  const facts = { ...GPU_FACTS, matrixUnit: 16, maxWorkgroupStorage: 32768 };
  const f16 = { kType: 'f16', vType: 'f16' } as const;

  test('a group of eight fills a matrix of sixteen rows', () => {
    const variant = chooseMatrix(shape, f16, facts);
    expect(variant).toEqual({ template: 'matrix', wgSize: 128, tile: 32, rowBlock: 8, unit: 16 });
    expect(matrixConsts(shape, variant)).toMatchObject({
      MATRIX_ROWS: 16,
      TEAM_KEYS: 4,
      MIX_VEC4S: 2,
      VALUE_WORDS: 4,
    });
    // products 16 x 128 x 4, queries 16 x 128 x 2, weights 16 x 32 x 2, staged 40 x 128 x 2, three numbers a row
    expect(matrixWorkgroupBytes(shape, variant)).toBe(8192 + 4096 + 1024 + 10240 + 96);
    expect(() => checkVariant(shape, f16, variant, facts)).not.toThrow();
  });

  test.each([
    [64, 16384],
    [128, 32768],
    [256, 49152],
  ])('as many rows as fit the workgroup: D %i, %i bytes', (headDim, maxWorkgroupStorage) => {
    for (const numQHeads of [1, 8, 16, 71]) {
      const given = checkShape({ numQHeads, numKvHeads: 1, headDim });
      const small = { ...facts, maxWorkgroupStorage };
      const variant = chooseMatrix(given, f16, small);
      expect(() => checkVariant(given, f16, variant, small)).not.toThrow();
    }
  });

  test('a device without matrices, another cache, and odd sizes are refused', () => {
    expect(() => chooseMatrix(shape, f16, GPU_FACTS)).toThrow(FeatureMissingError);
    expect(() => chooseMatrix(shape, { kType: 'f16', vType: 'int8' }, facts)).toThrow(
      'matrix: expected a cache of f16, got K f16 and V int8',
    );
    const unequal = { ...shape, vHeadDim: shape.headDim / 2 };
    const said = `matrix: expected K and V of the same head dim, got ${shape.headDim} and ${shape.headDim / 2}`;
    expect(() => chooseMatrix(unequal, f16, facts)).toThrow(ShapeError);
    expect(() => chooseMatrix(unequal, f16, facts)).toThrow(said);
    const variant = chooseMatrix(shape, f16, facts);
    const check = (wrong: Partial<MatrixVariant>) => () =>
      checkVariant(shape, f16, { ...variant, ...wrong }, facts);
    expect(check({ unit: 8 })).toThrow('matrix: unit: expected 16, got 8');
    expect(check({ wgSize: 96 })).toThrow('matrix: wgSize: expected a power of two, got 96');
    expect(check({ rowBlock: 17 })).toThrow(ShapeError);
    expect(check({ tile: 40 })).toThrow('matrix: tile: expected a multiple of 16, got 40');
  });

  test('the kernel itself is linked with matrices', () => {
    const { source: linked } = decodeMatrixKernel(shape, chooseMatrix(shape, f16, facts), F32_ROWS);
    expect(linked).toMatch(/^enable subgroups; enable f16; enable chromium_experimental_subgroup_matrix; /);
    expect(linked).toContain('subgroupMatrixMultiplyAccumulate');
  });
});

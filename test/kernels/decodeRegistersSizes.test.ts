// decodeRegistersSizes.test.ts: the sizes chosen for decode_registers: what they are, that they fit, what is refused.
import { describe, expect, test } from 'vitest';
import { FeatureMissingError, ShapeError } from '../../src/device/errors.ts';
import {
  registersConsts,
  type RegistersVariant,
  registersWorkgroupBytes,
} from '../../src/kernels/decodeRegisters.ts';
import { checkRegisters, chooseRegisters, hasRegisters } from '../../src/kernels/registersSizes.ts';
import { KV_TYPES, type KvType } from '../../src/numbers/elements.ts';
import { checkVariant, rowsPerWorkgroup, workgroupsPerItem } from '../../src/kernels/fused.ts';
import { GPU_FACTS, SOFTWARE_FACTS, SUBGROUP_SIZES, withSubgroups } from '../support/deviceFacts.ts';
import { ALL_SHAPES, shapeOf } from '../support/shapes.ts';

const both = (type: KvType) => ({ kType: type, vType: type });

const DEVICES = [
  ['GPU', GPU_FACTS],
  ['CPU', SOFTWARE_FACTS],
] as const;

describe('sizes', () => {
  // A lane keeps 128 floats of q and o; a row of 128 halves in 16 lanes takes 8 of each: teams of up to eight rows.
  test.each([
    [1, 128, 'f16', { wgSize: 128, lanes: 16, tokens: 4, teamRows: 1, blocks: 1 }],
    [4, 128, 'f16', { wgSize: 128, lanes: 16, tokens: 2, teamRows: 4, blocks: 1 }],
    [5, 128, 'f16', { wgSize: 128, lanes: 16, tokens: 2, teamRows: 5, blocks: 1 }],
    [12, 128, 'f16', { wgSize: 128, lanes: 16, tokens: 2, teamRows: 6, blocks: 2 }],
    // 9 teams, in powers of two 16.
    [71, 128, 'f16', { wgSize: 256, lanes: 16, tokens: 2, teamRows: 5, blocks: 16 }],
    // 18 teams, in powers of two 32, of which 16 are a workgroup: two of those.
    [142, 128, 'f16', { wgSize: 256, lanes: 16, tokens: 2, teamRows: 5, blocks: 16 }],
    // Eight rows and no more, however small they are.
    [16, 64, 'f32', { wgSize: 128, lanes: 16, tokens: 2, teamRows: 8, blocks: 2 }],
    // Eight words of int8, 16 floats each: four rows.
    [8, 128, 'int8', { wgSize: 128, lanes: 8, tokens: 2, teamRows: 4, blocks: 2 }],
    // Two words of int4: two rows, and 128 invocations would need 17 KiB of workgroup memory.
    [4, 64, 'int4', { wgSize: 64, lanes: 2, tokens: 4, teamRows: 2, blocks: 2 }],
  ] as const)('on a GPU, %i rows of head dim %i in %s', (rows, headDim, type, sizes) => {
    const variant = chooseRegisters(shapeOf(rows, headDim), both(type), GPU_FACTS);
    expect(variant).toEqual({ template: 'registers', ...sizes });
  });

  test('teams of fewer rows on a GPU of another vendor', () => {
    const variant = chooseRegisters(shapeOf(12, 128), both('f16'), { ...GPU_FACTS, vendor: 'apple' });
    expect(variant).toMatchObject({ lanes: 16, teamRows: 3, blocks: 4 });
  });

  test.each([
    [4, 128, 'f16', { lanes: 8, teamRows: 4 }],
    [9, 128, 'f16', { lanes: 8, teamRows: 5 }],
    [16, 64, 'int8', { lanes: 4, teamRows: 8 }],
    [8, 256, 'f32', { lanes: 8, teamRows: 4 }],
  ] as const)('on a CPU, a subgroup alone: %i rows of head dim %i in %s', (rows, headDim, type, sizes) => {
    const variant = chooseRegisters(shapeOf(rows, headDim), both(type), SOFTWARE_FACTS);
    expect(variant).toEqual({ template: 'registers', wgSize: 8, tokens: 1, blocks: 1, ...sizes });
  });

  test('the smallest subgroup that a device may use decides, not the largest', () => {
    const shape = shapeOf(4, 128);
    const variant = chooseRegisters(shape, both('f16'), {
      ...GPU_FACTS,
      subgroupMinSize: 8,
      subgroupMaxSize: 32,
    });
    expect(variant.lanes).toBe(8);
  });

  describe.each(DEVICES)('on a %s', (_, base) => {
    test.each(SUBGROUP_SIZES)(
      'with subgroups of %i every shape fits what every WebGPU device has',
      (size) => {
        const facts = withSubgroups(base, size);
        for (const shape of ALL_SHAPES) {
          for (const type of KV_TYPES) {
            const cache = { kType: type, vType: 'f16' } as const;
            for (const format of [both(type), cache]) {
              const variant = chooseRegisters(shape, format, facts);
              checkVariant(shape, format, variant, facts);
              const blocks = workgroupsPerItem(shape, variant) / shape.numKvHeads;
              expect(blocks * rowsPerWorkgroup(variant)).toBeGreaterThanOrEqual(shape.rowsPerKvHead);
              expect((blocks - 1) * rowsPerWorkgroup(variant)).toBeLessThan(shape.rowsPerKvHead);
            }
          }
        }
      },
    );
  });
});

describe('registersConsts', () => {
  const variant: RegistersVariant = {
    template: 'registers',
    wgSize: 64,
    lanes: 8,
    tokens: 4,
    teamRows: 3,
    blocks: 2,
    q: 'registers',
    code: 'gpu',
  };

  test('by hand: 16 scores of four rows and four keys over eight lanes', () => {
    expect(registersConsts(shapeOf(6, 80), { kType: 'f16', vType: 'int4' }, variant)).toEqual({
      HEAD_DIM: 80,
      ROWS: 6,
      ROW_BLOCK: 6,
      Q_LEN: 1,
      CAUSAL: true,
      WG_SIZE: 64,
      LANES: 8,
      TOKENS: 4,
      TEAM_ROWS: 3,
      BLOCKS: 2,
      PAD_ROWS: 4,
      HELD_ROWS: 1,
      HELD_TOKENS: 2,
      VALUES: 16,
      HALF_VALUES: 8,
      STAGES: 3,
      K_LANE_WORDS: 2, // of ten
      K_LANE_VEC4S: 4,
      V_LANE_WORDS: 1, // of three
      V_LANE_VEC4S: 8,
    });
  });

  test.each([
    [
      { lanes: 2, tokens: 2, teamRows: 3 },
      { PAD_ROWS: 4, HELD_ROWS: 2, HELD_TOKENS: 2, VALUES: 8, STAGES: 1 },
    ],
    [
      { lanes: 8, tokens: 1, teamRows: 1 },
      { PAD_ROWS: 1, HELD_ROWS: 1, HELD_TOKENS: 1, VALUES: 1, HALF_VALUES: 0 },
    ],
    [
      { lanes: 4, tokens: 8, teamRows: 1 },
      { PAD_ROWS: 1, HELD_ROWS: 1, HELD_TOKENS: 2, VALUES: 8 },
    ],
  ])('%j', (sizes, consts) => {
    expect(registersConsts(shapeOf(6, 64), both('f32'), { ...variant, ...sizes })).toMatchObject(consts);
  });
});

describe('registersWorkgroupBytes', () => {
  test('counts m and l of every team’s padded rows and a row of o of all invocations', () => {
    const variant: RegistersVariant = {
      template: 'registers',
      wgSize: 64,
      lanes: 8,
      tokens: 1,
      teamRows: 3,
      blocks: 1,
      q: 'registers',
      code: 'gpu',
    };
    // Eight teams * four rows * 8 bytes; 64 invocations * two words of two vec4s.
    expect(registersWorkgroupBytes(shapeOf(3, 80), both('f16'), variant)).toBe(256 + 64 * 4 * 16);
  });
});

test('hasRegisters: subgroups of at least two invocations', () => {
  expect(hasRegisters(GPU_FACTS)).toBe(true);
  expect(hasRegisters({ ...GPU_FACTS, subgroups: false })).toBe(false);
  expect(hasRegisters({ ...GPU_FACTS, subgroupMinSize: 1 })).toBe(false);
});

describe('checkRegisters', () => {
  const good: RegistersVariant = {
    template: 'registers',
    wgSize: 64,
    lanes: 8,
    tokens: 2,
    teamRows: 3,
    blocks: 2,
    q: 'registers',
    code: 'gpu',
  };
  const check = (change: Partial<RegistersVariant>) => () =>
    checkRegisters({ ...good, ...change }, GPU_FACTS);

  test('accepts team rows that are no power of two, and a workgroup of one team', () => {
    expect(check({})).not.toThrow();
    expect(check({ wgSize: 8, blocks: 1 })).not.toThrow();
    expect(check({ lanes: 32, wgSize: 64 })).not.toThrow();
  });

  test.each([
    [{ lanes: 6 }, 'registers: lanes: expected a power of two, got 6'],
    [{ lanes: 64 }, 'registers: lanes: expected a whole number from 2 to 32, got 64'],
    [{ lanes: 1 }, 'registers: lanes: expected a whole number from 2 to 32, got 1'],
    [{ tokens: 3 }, 'registers: tokens: expected a power of two, got 3'],
    [{ tokens: 32 }, 'registers: tokens: expected a whole number from 1 to 16, got 32'],
    [{ teamRows: 0 }, 'registers: teamRows: expected a whole number from 1 to 64, got 0'],
    [{ teamRows: 65 }, 'registers: teamRows: expected a whole number from 1 to 64, got 65'],
    [{ teamRows: 1.5 }, 'registers: teamRows: expected a whole number from 1 to 64, got 1.5'],
    [{ blocks: 3 }, 'registers: blocks: expected a power of two, got 3'],
    [{ blocks: 16 }, 'registers: wgSize: expected a whole number from 128 to 65536, got 64'],
    [{ wgSize: 96 }, 'registers: wgSize: expected a power of two, got 96'],
    [{ wgSize: 8 }, 'registers: wgSize: expected a whole number from 16 to 65536, got 8'],
    [{ wgSize: NaN }, 'registers: wgSize: expected a power of two, got NaN'],
  ])('refuses %j', (change, message) => {
    expect(check(change)).toThrow(ShapeError);
    expect(check(change)).toThrow(message);
  });

  test('refuses a device without subgroups', () => {
    const on = () => checkRegisters(good, { ...GPU_FACTS, subgroups: false });
    expect(on).toThrow(FeatureMissingError);
    expect(on).toThrow('registers: the kernel needs subgroups, the device has none');
  });
});

// decodeRegistersSizes.test.ts: the sizes chosen for decode_registers: what they are, that they fit, what is refused.
import { describe, expect, test } from 'vitest';
import type { DeviceFacts } from '../../src/device/deviceFacts.ts';
import { FeatureMissingError, ShapeError } from '../../src/device/errors.ts';
import {
  registersConsts,
  type RegistersVariant,
  registersWorkgroupBytes,
} from '../../src/kernels/decodeRegisters.ts';
import { laneWords } from '../../src/kernels/laneWords.ts';
import {
  askedSubgroupSize,
  checkRegisters,
  chooseRegisters,
  hasRegisters,
  suitsRegisters,
} from '../../src/kernels/registersSizes.ts';
import { checkShape } from '../../src/kernels/shape.ts';
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
  // 32-bit numbers that are live: o and q of all rows, words of K and of V of all tokens, scores. NVIDIA 76 at most, AMD 116.
  test.each([
    ['nvidia', 1, 128, 'f16', { lanes: 16, tokens: 4, teamRows: 1, blocks: 1 }], // 8 + 12 + 4 * 8 + 4
    ['nvidia', 4, 128, 'f16', { lanes: 16, tokens: 4, teamRows: 2, blocks: 2 }], // 16 + 20 + 4 * 8 + 8
    ['nvidia', 4, 128, 'int4', { lanes: 16, tokens: 4, teamRows: 2, blocks: 2 }],
    ['nvidia', 8, 256, 'f16', { lanes: 32, tokens: 4, teamRows: 2, blocks: 4 }], // as 16 lanes of head dim 128
    ['nvidia', 32, 128, 'f16', { wgSize: 256, lanes: 16, tokens: 4, teamRows: 2, blocks: 16 }],
    ['amd', 4, 128, 'f16', { lanes: 16, tokens: 4, teamRows: 4, blocks: 1 }], // 32 + 36 + 4 * 8 + 16
    // Eight lanes: scales of fewer keys per row.
    ['amd', 4, 128, 'int8', { lanes: 8, tokens: 4, teamRows: 2, blocks: 2 }],
    ['amd', 5, 128, 'f16', { lanes: 16, tokens: 4, teamRows: 3, blocks: 2 }],
    // Intel: 40 at most. K or V, whichever is more, and what is read of q: 16 + 12 + 2 * 4 + 4.
    ['intel', 4, 128, 'f16', { lanes: 16, tokens: 2, teamRows: 2, blocks: 2, q: 'workgroup' }],
    ['intel', 1, 128, 'f16', { lanes: 16, tokens: 4, teamRows: 1, blocks: 1 }], // 8 + 12 + 4 * 4 + 4
    ['intel', 8, 256, 'f16', { lanes: 16, tokens: 1, teamRows: 1, blocks: 8, q: 'workgroup' }],
    // 36 row blocks in powers of two are 64, of which 16 are a workgroup.
    ['intel', 71, 64, 'f16', { lanes: 8, tokens: 2, teamRows: 2, blocks: 16, q: 'workgroup' }],
    // Rows longer than 256 elements: 32 lanes hold what 16 hold of 256.
    ['nvidia', 4, 512, 'f16', { lanes: 32, tokens: 2, teamRows: 1, blocks: 4 }],
    ['qualcomm', 4, 128, 'f16', { lanes: 32, tokens: 2, teamRows: 2, blocks: 2 }], // 8 + 12 + 2 * 2 + 4
    ['qualcomm', 32, 128, 'int4', { lanes: 16, tokens: 4, teamRows: 1, blocks: 8 }],
  ] as const)('on a GPU of %s, %i rows of head dim %i in %s', (vendor, rows, headDim, type, sizes) => {
    const facts = { ...GPU_FACTS, vendor, subgroupMinSize: vendor === 'intel' ? 16 : 32 };
    const variant = chooseRegisters(shapeOf(rows, headDim), both(type), facts);
    const usual = { template: 'registers', wgSize: 128, q: 'registers', code: 'gpu' };
    expect(variant).toEqual({ ...usual, ...sizes });
  });

  test('several positions leave less room: numbers of the rounds with hidden keys are kept', () => {
    const intel = { ...GPU_FACTS, vendor: 'intel', subgroupMinSize: 16 };
    const sizesOf = (qLen: number) => {
      const shape = checkShape({ numQHeads: 4, numKvHeads: 1, headDim: 128, qLen });
      return chooseRegisters(shape, both('f16'), intel);
    };
    expect(sizesOf(1)).toMatchObject({ teamRows: 2, tokens: 2 });
    expect(sizesOf(4)).toMatchObject({ teamRows: 2, tokens: 1 });
  });

  test.each([
    [4, 128, 'f16', { lanes: 8, teamRows: 4 }],
    [9, 128, 'f16', { lanes: 8, teamRows: 5 }],
    [16, 64, 'int8', { lanes: 4, teamRows: 8 }],
    [16, 64, 'int4', { lanes: 4, teamRows: 8 }],
    [8, 256, 'f32', { lanes: 8, teamRows: 4 }],
  ] as const)('on a CPU, a subgroup alone: %i rows of head dim %i in %s', (rows, headDim, type, sizes) => {
    const variant = chooseRegisters(shapeOf(rows, headDim), both(type), SOFTWARE_FACTS);
    const usual = { template: 'registers', wgSize: 8, tokens: 1, blocks: 1, q: 'registers', code: 'cpu' };
    expect(variant).toEqual({ ...usual, ...sizes });
  });

  describe('lanes', () => {
    const lanesOf = (facts: Partial<DeviceFacts>) => {
      const range = { ...GPU_FACTS, vendor: 'amd', subgroupMinSize: 8, subgroupMaxSize: 32, ...facts };
      return chooseRegisters(shapeOf(4, 128), both('f16'), range).lanes;
    };

    test('the smallest subgroup that a device may use decides, not the largest', () => {
      expect(lanesOf({})).toBe(8);
    });

    test('unless a size can be asked for, or its compilers are known to take larger ones', () => {
      expect(lanesOf({ subgroupSizeControl: true })).toBe(16);
      expect(lanesOf({ vendor: 'intel' })).toBe(16);
      expect(lanesOf({ vendor: 'intel', subgroupMaxSize: 8 })).toBe(8);
    });

    test('a size is asked for only where it is larger than the smallest', () => {
      const control = { ...GPU_FACTS, subgroupSizeControl: true };
      expect(askedSubgroupSize(16, { ...control, subgroupMinSize: 8 })).toBe(16);
      expect(askedSubgroupSize(16, { ...control, subgroupMinSize: 16 })).toBeUndefined();
      expect(askedSubgroupSize(16, { ...GPU_FACTS, subgroupMinSize: 8 })).toBeUndefined();
    });
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

const VARIANT: RegistersVariant = {
  template: 'registers',
  wgSize: 64,
  lanes: 8,
  tokens: 4,
  teamRows: 3,
  blocks: 2,
  q: 'registers',
  code: 'gpu',
};

describe('registersConsts', () => {
  test('by hand: 16 scores of four rows and four keys over eight lanes', () => {
    expect(registersConsts(shapeOf(6, 80), { kType: 'f16', vType: 'int4' }, VARIANT)).toEqual({
      HEAD_DIM: 80,
      V_DIM: 80,
      GROUP_SIZE: 6,
      NUM_KV_HEADS: 2,
      CAUSAL: true,
      ROW_BLOCK: 6,
      ONE_BLOCK: true,
      MASKED: false,
      SHAPED: false,
      SINK_TOKENS: 0,
      HIDES: false,
      WG_SIZE: 64,
      LANES: 8,
      TOKENS: 4,
      TEAM_ROWS: 3,
      BLOCKS: 2,
      PAD_ROWS: 4,
      HELD_ROWS: 1,
      HELD_TOKENS: 4,
      HELD: 4,
      VALUES: 16,
      HALF_VALUES: 8,
      HALVINGS: 2,
      SUMMINGS: 1,
      K_LANE_WORDS: 2, // of ten of 16 bytes
      K_LANE_VEC4S: 4,
      V_LANE_WORDS: 2, // of twelve of 4 bytes
      V_LANE_VEC4S: 4,
      Q_SHARED: false,
      TOKEN_GROUP: 1,
      TOKEN_GROUPS: 4,
      K_LATE: false,
      V_LATE: false,
      MERGE_ROWS: 2, // 64 invocations * 4 vec4s * 16 bytes a row, of 8 KiB
      MERGE_PASSES: 2,
      RUN_GROUP: 4,
      SHARED_VEC4S: 512,
      SHIFTS_KEPT: false,
    });
  });

  test.each([
    [
      { lanes: 4, tokens: 2, teamRows: 3 },
      { PAD_ROWS: 4, HELD_ROWS: 1, HELD_TOKENS: 2, HELD: 2, HALVINGS: 2, SUMMINGS: 0, RUN_GROUP: 4 },
    ],
    [
      { lanes: 8, tokens: 1, teamRows: 1 },
      { PAD_ROWS: 1, HELD_ROWS: 1, HELD_TOKENS: 1, VALUES: 1, HALF_VALUES: 0, HALVINGS: 0, SUMMINGS: 3 },
    ],
    [
      { lanes: 4, tokens: 8, teamRows: 1 },
      { PAD_ROWS: 1, HELD_ROWS: 1, HELD_TOKENS: 2, VALUES: 8 },
    ],
    [
      { lanes: 32, tokens: 1, teamRows: 9 },
      { PAD_ROWS: 16, HELD_ROWS: 4, HELD_TOKENS: 1, HELD: 4, RUN_GROUP: 1 },
    ],
  ])('%j', (sizes, consts) => {
    expect(registersConsts(shapeOf(6, 64), both('f32'), { ...VARIANT, ...sizes })).toMatchObject(consts);
  });

  test('q in workgroup memory: words of which a lane has several are loaded late', () => {
    const shared = { ...VARIANT, q: 'workgroup' } as const;
    // Three rows of two blocks, eight lanes, four vec4s.
    expect(registersConsts(shapeOf(6, 80), { kType: 'f16', vType: 'int8' }, shared)).toMatchObject({
      Q_SHARED: true,
      TOKEN_GROUP: 4,
      TOKEN_GROUPS: 1,
      K_LATE: true,
      V_LATE: true,
      SHARED_VEC4S: 512,
    });
    expect(registersConsts(shapeOf(6, 64), both('f16'), shared)).toMatchObject({
      K_LATE: false,
      V_LATE: false,
    });
  });
});

describe('laneWords', () => {
  test.each([
    ['f32', 128, 16, { bytes: 16, words: 2, vec4s: 2 }],
    ['f16', 128, 16, { bytes: 16, words: 1, vec4s: 2 }],
    ['bf16', 64, 16, { bytes: 8, words: 1, vec4s: 1 }],
    ['int8', 128, 16, { bytes: 8, words: 1, vec4s: 2 }],
    ['int8', 128, 8, { bytes: 16, words: 1, vec4s: 4 }],
    ['int4', 128, 16, { bytes: 4, words: 1, vec4s: 2 }],
    ['int4', 64, 4, { bytes: 8, words: 1, vec4s: 4 }],
    // Rows that do not fill their lanes, or have no narrower words to fill them with.
    ['f16', 80, 8, { bytes: 16, words: 2, vec4s: 4 }],
    ['f32', 64, 32, { bytes: 16, words: 1, vec4s: 1 }],
    ['int4', 80, 16, { bytes: 4, words: 1, vec4s: 2 }], // twelve words, the last two empty
    ['f32', 8, 4, { bytes: 16, words: 1, vec4s: 1 }],
    ['int8', 8, 4, { bytes: 4, words: 1, vec4s: 1 }], // two words of four are empty
    // Long rows: narrower words where fewer elements lie past the row's end then.
    ['f16', 320, 16, { bytes: 8, words: 5, vec4s: 5 }],
    ['int8', 320, 16, { bytes: 4, words: 5, vec4s: 5 }],
    ['f16', 512, 16, { bytes: 16, words: 4, vec4s: 8 }],
  ] as const)('%s of head dim %i in teams of %i', (type, headDim, lanes, expected) => {
    expect(laneWords(type, headDim, lanes)).toEqual(expected);
  });
});

describe('registersWorkgroupBytes', () => {
  const variant: RegistersVariant = { ...VARIANT, tokens: 1, blocks: 1 };

  test('counts m and l of every team’s padded rows, and the rows of o that are merged at a time', () => {
    // Eight teams * four rows * 8 bytes; two rows of 64 invocations * two words of two vec4s; the workgroup's place.
    const bytes = 256 + 2 * 64 * 4 * 16;
    expect(registersWorkgroupBytes(shapeOf(3, 80), both('f16'), variant)).toBe(bytes + 16);
    // Which stays in registers on a CPU.
    expect(registersWorkgroupBytes(shapeOf(3, 80), both('f16'), { ...variant, code: 'cpu' })).toBe(bytes);
  });

  test('and q, where that is more', () => {
    const many: RegistersVariant = {
      ...variant,
      wgSize: 32,
      lanes: 16,
      teamRows: 16,
      blocks: 2,
      q: 'workgroup',
    };
    // Two teams * 16 rows * 8 bytes; 32 rows of 128 floats.
    expect(registersWorkgroupBytes(shapeOf(32, 128), both('f16'), many)).toBe(256 + 32 * 512 + 16);
  });
});

test('suitsRegisters: rows past 256 elements need lanes enough, on a GPU', () => {
  const suits = (headDim: number, vHeadDim: number, facts: DeviceFacts) =>
    suitsRegisters(checkShape({ numQHeads: 4, numKvHeads: 1, headDim, vHeadDim }), facts);
  const sixteen = withSubgroups(GPU_FACTS, 16);
  expect(suits(512, 512, GPU_FACTS)).toBe(true);
  expect(suits(256, 256, sixteen)).toBe(true);
  expect(suits(264, 264, sixteen)).toBe(false);
  expect(suits(8, 264, sixteen)).toBe(false);
  expect(suits(264, 8, sixteen)).toBe(false);
  expect(suits(512, 512, SOFTWARE_FACTS)).toBe(true);
});

test('hasRegisters: subgroups of at least a quad', () => {
  expect(hasRegisters(GPU_FACTS)).toBe(true);
  expect(hasRegisters({ ...GPU_FACTS, subgroups: false })).toBe(false);
  expect(hasRegisters({ ...GPU_FACTS, subgroupMinSize: 2 })).toBe(false);
});

describe('checkRegisters', () => {
  const good: RegistersVariant = { ...VARIANT, tokens: 2 };
  const check = (change: Partial<RegistersVariant>) => () =>
    checkRegisters({ ...good, ...change }, GPU_FACTS);

  test('accepts team rows that are no power of two, and a workgroup of one team', () => {
    expect(check({})).not.toThrow();
    expect(check({ wgSize: 8, blocks: 1 })).not.toThrow();
    expect(check({ lanes: 32, wgSize: 64 })).not.toThrow();
  });

  test.each([
    [{ lanes: 6 }, 'registers: lanes: expected a power of two, got 6'],
    [{ lanes: 64 }, 'registers: lanes: expected a whole number from 4 to 32, got 64'],
    [{ lanes: 1 }, 'registers: lanes: expected a whole number from 4 to 32, got 1'],
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

// decodeTilesSizes.test.ts: the sizes chosen for decode_tiles: what they are, that they fit, and what is refused.
import { describe, expect, test } from 'vitest';
import { ShapeError } from '../../src/device/errors.ts';
import {
  checkTiles,
  chooseTiles,
  tilesConsts,
  tilesWorkgroupBytes,
  type TilesVariant,
} from '../../src/kernels/decodeTiles.ts';
import { KV_TYPES, rowWords, type KvType } from '../../src/numbers/elements.ts';
import { checkVariant, workgroupsPerItem } from '../../src/kernels/fused.ts';
import { GPU_FACTS, SOFTWARE_FACTS, withSubgroups } from '../support/deviceFacts.ts';
import { ALL_SHAPES, shapeOf } from '../support/shapes.ts';

const SWIFTSHADER = withSubgroups(SOFTWARE_FACTS, 4);

const both = (type: KvType) => ({ kType: type, vType: type });

const DEVICES = [
  ['GPU', GPU_FACTS],
  ['CPU', SOFTWARE_FACTS],
  ['CPU with subgroups of four', SWIFTSHADER],
] as const;

describe('sizes', () => {
  // Queries of eight rows of D 256 are 8 KiB; o of the sets 4 KiB, a key 192 bytes: 16 of them fit and 32 do not.
  test.each([
    [1, 64, 'f32', { tile: 32, rowBlock: 1 }],
    [8, 128, 'f16', { tile: 32, rowBlock: 8 }],
    [71, 64, 'int4', { tile: 32, rowBlock: 8 }],
    [9, 128, 'f16', { tile: 32, rowBlock: 5 }],
    [8, 256, 'f16', { tile: 16, rowBlock: 8 }],
    // 256 invocations share longer rows, and keep as much of o as 128 of D 256. Their sets' o is 8 KiB, a row of queries 2 KiB of D 512.
    [8, 320, 'f16', { wgSize: 256, tile: 32, rowBlock: 4 }],
    [8, 512, 'f16', { wgSize: 256, tile: 32, rowBlock: 2 }],
    [4, 512, 'int4', { wgSize: 128, tile: 16, rowBlock: 4 }],
  ] as const)('on a GPU, %i rows of head dim %i in %s', (rows, headDim, type, sizes) => {
    const variant = chooseTiles(shapeOf(rows, headDim), both(type), GPU_FACTS);
    expect(variant).toEqual({ template: 'tiles', wgSize: 128, mixWords: 1, ...sizes });
  });

  test.each([
    [4, 64, 'f32', { tile: 64, rowBlock: 4, mixWords: 2 }],
    [15, 80, 'f32', { tile: 64, rowBlock: 8, mixWords: 3 }],
    [71, 256, 'f32', { tile: 32, rowBlock: 8, mixWords: 8 }],
    [4, 128, 'int8', { tile: 64, rowBlock: 4, mixWords: 1 }],
  ] as const)('on a CPU, %i rows of head dim %i in %s', (rows, headDim, type, sizes) => {
    const variant = chooseTiles(shapeOf(rows, headDim), both(type), SOFTWARE_FACTS);
    expect(variant).toEqual({ template: 'tiles', wgSize: 8, ...sizes });
  });

  test.each([
    [4, 64, 'f32', { tile: 64, rowBlock: 4, mixWords: 4 }],
    [9, 112, 'f16', { tile: 64, rowBlock: 5, mixWords: 4 }],
    [1, 64, 'int4', { tile: 64, rowBlock: 1, mixWords: 1 }],
  ] as const)(
    'on a CPU with subgroups of four, %i rows of head dim %i in %s',
    (rows, headDim, type, sizes) => {
      const variant = chooseTiles(shapeOf(rows, headDim), both(type), SWIFTSHADER);
      expect(variant).toEqual({ template: 'tiles', wgSize: 4, ...sizes });
    },
  );

  test.each(DEVICES)(
    'on a %s every shape and type fits the limits that every WebGPU device has',
    (_, facts) => {
      for (const shape of ALL_SHAPES) {
        for (const type of KV_TYPES) {
          const variant = chooseTiles(shape, both(type), facts);
          checkVariant(shape, both(type), variant, facts);
        }
      }
    },
  );

  test.each(DEVICES)(
    'on a %s blocks cover the rows, a workgroup a row of V, and keys divide evenly',
    (_, facts) => {
      for (const shape of ALL_SHAPES) {
        for (const type of KV_TYPES) {
          const variant = chooseTiles(shape, both(type), facts);
          const { wgSize, tile, rowBlock, mixWords } = variant;
          const blocks = workgroupsPerItem(shape, variant) / shape.numKvHeads;
          expect(blocks * rowBlock).toBeGreaterThanOrEqual(shape.rowsPerKvHead);
          expect((blocks - 1) * rowBlock).toBeLessThan(shape.rowsPerKvHead);
          expect(wgSize * mixWords * (wgSize < 32 ? 1 : 2)).toBeGreaterThanOrEqual(
            rowWords(type, shape.vHeadDim),
          );
          expect(tile % 8).toBe(0);
        }
      }
    },
  );
});

describe('tilesConsts', () => {
  // A GPU: teams of two invocations for ten words of K, five turns; six packs of two rows, a set of teams each. Twenty
  // invocations cover a row of V: three sets, which mix two packs each.
  test('of a GPU, by hand', () => {
    const variant: TilesVariant = { template: 'tiles', wgSize: 64, tile: 16, rowBlock: 12, mixWords: 1 };
    expect(tilesConsts(shapeOf(24, 80), both('f16'), variant)).toEqual({
      HEAD_DIM: 80,
      V_DIM: 80,
      GROUP_SIZE: 24,
      NUM_KV_HEADS: 2,
      CAUSAL: true,
      ROW_BLOCK: 12,
      ONE_BLOCK: false,
      MASKED: false,
      SHAPED: false,
      SINK_TOKENS: 0,
      HIDES: false,
      WG_SIZE: 64,
      TILE: 16,
      GROUPS: 8,
      LANES: 2,
      K_PIECE_VEC4S: 2,
      K_LANE_VEC4S: 10,
      SLICES: 5,
      SLICE_PIECES: 1,
      SCORE_PACKS: 1,
      SCORE_ROWS: 2,
      SCORE_SETS: 6,
      V_PIECE_VEC4S: 1,
      MIX_PIECES: 1,
      MIX_VEC4S: 1,
      MIX_PACKS: 2,
      MIX_ROWS: 4,
      MIX_SETS: 3,
      OUT_ROWS: 2,
      OUT_TURNS: 2,
    });
  });

  test('of a CPU: every invocation serves all rows, and takes whole words', () => {
    const variant: TilesVariant = { template: 'tiles', wgSize: 16, tile: 4, rowBlock: 20, mixWords: 1 };
    expect(tilesConsts(shapeOf(20, 64), both('int8'), variant)).toMatchObject({
      GROUPS: 4,
      LANES: 4,
      SLICES: 1,
      SCORE_ROWS: 20,
      SCORE_SETS: 1,
      V_PIECE_VEC4S: 4,
      MIX_ROWS: 20,
      MIX_SETS: 1,
      OUT_TURNS: 1,
    });
  });
});

describe('tilesWorkgroupBytes', () => {
  const variant: TilesVariant = { template: 'tiles', wgSize: 16, tile: 32, rowBlock: 4, mixWords: 2 };

  test('counts packs of a CPU, and o of its sets', () => {
    // Packs of 4 rows: 32 weights, 32 times five sums of products, 8 maxima, 8 sums, three more; o of 4 sets, 4 rows, 16 vec4s.
    expect(tilesWorkgroupBytes(shapeOf(4, 64), both('f16'), variant)).toBe(
      16 * (32 * 6 + 19) + 4 * 4 * 16 * 16,
    );
  });

  test('counts the queries of a GPU too, and the place of its workgroup', () => {
    // Two packs of 2 rows; 9 sums of products a key; 4 rows of 32 vec4s; o of two key sets, two rows each of two sets.
    const gpu = { ...variant, wgSize: 128, mixWords: 1 };
    expect(tilesWorkgroupBytes(shapeOf(4, 128), both('f16'), gpu)).toBe(
      8 * 2 * (32 * 10 + 19) + 16 * (4 * 32 + 2 * 4 * 32) + 16,
    );
  });
});

describe('checkTiles', () => {
  const good: TilesVariant = { template: 'tiles', wgSize: 16, tile: 32, rowBlock: 8, mixWords: 1 };
  const check = (change: Partial<TilesVariant>) => () =>
    checkTiles(shapeOf(8, 128), both('f16'), { ...good, ...change });

  test('accepts tiles of up to eight keys, and multiples of it', () => {
    for (const tile of [1, 7, 8, 24, 192]) expect(check({ tile })).not.toThrow();
    expect(check({ wgSize: 1, mixWords: 16 })).not.toThrow();
  });

  // A row of V has 16 words.
  test.each([
    [{ mixWords: 0 }, 'tiles: mixWords: expected a whole number from 1 to 16, got 0'],
    [{ mixWords: 17 }, 'tiles: mixWords: expected a whole number from 1 to 16, got 17'],
    [{ wgSize: 15 }, 'tiles: wgSize: expected a whole number from 16 to 65536, got 15'],
    [{ wgSize: 7, mixWords: 2 }, 'tiles: wgSize: expected a whole number from 8 to 65536, got 7'],
    [{ wgSize: 64.5 }, 'tiles: wgSize: expected a whole number from 32 to 65536, got 64.5'],
    [{ tile: 0 }, 'tiles: tile: expected a whole number from 1 to 65536, got 0'],
    [{ rowBlock: -1 }, 'tiles: rowBlock: expected a whole number from 1 to 65536, got -1'],
    [{ rowBlock: NaN }, 'tiles: rowBlock: expected a whole number from 1 to 65536, got NaN'],
    [{ wgSize: 128, mixWords: 33 }, 'tiles: mixWords: expected a whole number from 1 to 32, got 33'],
    [{ tile: 9 }, 'tiles: tile: expected at most 8 or a multiple of it, got 9'],
    [{ tile: 100 }, 'tiles: tile: expected at most 8 or a multiple of it, got 100'],
  ])('refuses %j', (change, message) => {
    expect(check(change)).toThrow(ShapeError);
    expect(check(change)).toThrow(message);
  });
});

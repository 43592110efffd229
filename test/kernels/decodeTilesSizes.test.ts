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
  // Weights of 71 rows and 32 keys are 9 KiB; 256 invocations add 5 KiB of f32 words, 9 of f16, 33 of int4: then fewer rows.
  test.each([
    [4, 64, 'f32', { wgSize: 64, tile: 64, rowBlock: 4 }],
    [8, 128, 'f16', { wgSize: 64, tile: 64, rowBlock: 8 }],
    [16, 128, 'f16', { wgSize: 64, tile: 32, rowBlock: 16 }],
    [32, 64, 'f32', { wgSize: 128, tile: 32, rowBlock: 32 }],
    [71, 64, 'f32', { wgSize: 256, tile: 32, rowBlock: 71 }],
    [71, 64, 'f16', { wgSize: 256, tile: 32, rowBlock: 36 }],
    [71, 64, 'int4', { wgSize: 64, tile: 32, rowBlock: 9 }],
  ] as const)('on a GPU, %i rows of head dim %i in %s', (rows, headDim, type, sizes) => {
    const variant = chooseTiles(shapeOf(rows, headDim), both(type), GPU_FACTS);
    expect(variant).toEqual({ template: 'tiles', mixWords: 1, ...sizes });
  });

  test.each([
    [4, 64, 'f32', { wgSize: 16, tile: 32, rowBlock: 4 }],
    [8, 128, 'f32', { wgSize: 32, tile: 64, rowBlock: 8 }],
    [15, 80, 'f32', { wgSize: 20, tile: 40, rowBlock: 8 }],
    [71, 256, 'f32', { wgSize: 64, tile: 128, rowBlock: 8 }],
    [4, 128, 'int8', { wgSize: 16, tile: 32, rowBlock: 4 }],
  ] as const)('on a CPU, %i rows of head dim %i in %s', (rows, headDim, type, sizes) => {
    const variant = chooseTiles(shapeOf(rows, headDim), both(type), SOFTWARE_FACTS);
    expect(variant).toEqual({ template: 'tiles', mixWords: 1, ...sizes });
  });

  test.each([
    [4, 64, 'f32', { tile: 32, rowBlock: 4, mixWords: 2 }],
    [9, 112, 'f16', { tile: 128, rowBlock: 5, mixWords: 2 }],
    [8, 256, 'f32', { tile: 128, rowBlock: 8, mixWords: 8 }],
    [1, 64, 'int4', { tile: 32, rowBlock: 1, mixWords: 1 }],
  ] as const)(
    'on a CPU with subgroups of four, %i rows of head dim %i in %s',
    (rows, headDim, type, sizes) => {
      const variant = chooseTiles(shapeOf(rows, headDim), both(type), SWIFTSHADER);
      expect(variant).toEqual({ template: 'tiles', wgSize: 8, ...sizes });
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
          expect(wgSize * mixWords).toBeGreaterThanOrEqual(rowWords(type, shape.headDim));
          expect([wgSize % Math.min(tile, wgSize), tile % Math.min(tile, wgSize)]).toEqual([0, 0]);
        }
      }
    },
  );
});

describe('tilesConsts', () => {
  // Ten words of V make sets of ten invocations: six of them, of which two share twelve rows of 16 floats each.
  test('by hand', () => {
    const variant: TilesVariant = { template: 'tiles', wgSize: 64, tile: 16, rowBlock: 12, mixWords: 1 };
    expect(tilesConsts(shapeOf(24, 80), both('f16'), variant)).toEqual({
      HEAD_DIM: 80,
      ROWS: 24,
      ROW_BLOCK: 12,
      Q_LEN: 1,
      CAUSAL: true,
      WG_SIZE: 64,
      TILE: 16,
      KEYS: 1,
      QK_ROWS: 3,
      MIX_WORDS: 1,
      MIX_VEC4S: 2,
      ROW_SETS: 2,
      MIX_ROWS: 6,
    });
  });

  test('rows that no set has room for go to the sets there are', () => {
    const variant: TilesVariant = { template: 'tiles', wgSize: 16, tile: 32, rowBlock: 20, mixWords: 1 };
    expect(tilesConsts(shapeOf(20, 64), both('f32'), variant)).toMatchObject({
      ROW_SETS: 1,
      MIX_ROWS: 20,
      KEYS: 2,
    });
  });
});

describe('tilesWorkgroupBytes', () => {
  test('counts weights, maxima and the sums of the sets', () => {
    const variant: TilesVariant = { template: 'tiles', wgSize: 16, tile: 32, rowBlock: 4, mixWords: 2 };
    // 4 * 32 weights and 4 maxima of 4 bytes; 16 times a number and two words of two vec4s.
    expect(tilesWorkgroupBytes(both('f16'), variant)).toBe(512 + 16 + 16 * (4 + 64));
  });
});

describe('checkTiles', () => {
  const good: TilesVariant = { template: 'tiles', wgSize: 64, tile: 32, rowBlock: 8, mixWords: 1 };
  const check = (change: Partial<TilesVariant>) => () =>
    checkTiles(shapeOf(8, 128), both('f16'), { ...good, ...change });

  test('accepts tiles of fewer keys than invocations, of as many, and of more', () => {
    for (const tile of [1, 32, 64, 192]) expect(check({ tile })).not.toThrow();
    expect(check({ wgSize: 1, mixWords: 16 })).not.toThrow();
  });

  // A row of V has 16 words.
  test.each([
    [{ mixWords: 0 }, 'tiles: mixWords: expected a whole number from 1 to 16, got 0'],
    [{ mixWords: 17 }, 'tiles: mixWords: expected a whole number from 1 to 16, got 17'],
    [{ wgSize: 15 }, 'tiles: wgSize: expected a whole number from 16 to 65536, got 15'],
    [{ wgSize: 7, mixWords: 2 }, 'tiles: wgSize: expected a whole number from 8 to 65536, got 7'],
    [{ wgSize: 64.5 }, 'tiles: wgSize: expected a whole number from 16 to 65536, got 64.5'],
    [{ tile: 0 }, 'tiles: tile: expected a whole number from 1 to 65536, got 0'],
    [{ rowBlock: -1 }, 'tiles: rowBlock: expected a whole number from 1 to 65536, got -1'],
    [{ rowBlock: NaN }, 'tiles: rowBlock: expected a whole number from 1 to 65536, got NaN'],
    [{ tile: 48 }, 'tiles: one of wgSize (64) and tile (48) must be a multiple of the other'],
    [{ tile: 96 }, 'tiles: one of wgSize (64) and tile (96) must be a multiple of the other'],
  ])('refuses %j', (change, message) => {
    expect(check(change)).toThrow(ShapeError);
    expect(check(change)).toThrow(message);
  });
});

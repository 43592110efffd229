// badShape.test.ts: shapes, kernels and variants that are refused: the error's class, what was expected, what was given.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  checkShape,
  createDecoder,
  createKvCache,
  DestroyedError,
  FeatureMissingError,
  GqaError,
  LimitExceededError,
  ShapeError,
  type DecoderOptions,
  type GqaDevice,
  type KvCache,
  type ShapeOptions,
} from '../../src/index.ts';
import { mostLanes } from '../../src/kernels/registersSizes.ts';
import { testDevice } from '../support/device.ts';
import { failure, message } from '../support/failure.ts';
import { ownDevice } from '../support/ownDevice.ts';

const device: GqaDevice = await testDevice();
const hasSubgroups = device.facts.subgroups;
let cache: KvCache;
beforeAll(async () => {
  cache = await createKvCache(device, { batch: 2, numKvHeads: 2, headDim: 64, capacity: 100 });
});
afterAll(() => cache.destroy());

const KERNEL_LIST = 'decoder: kernel must be one of auto, registers, tiles, prefill, plain';
const TILES = { template: 'tiles', wgSize: 16, tile: 32, rowBlock: 4, mixWords: 1 } as const;
const REGISTERS = {
  template: 'registers',
  wgSize: 8,
  lanes: 4,
  tokens: 1,
  teamRows: 4,
  blocks: 1,
  q: 'registers',
  code: 'gpu',
} as const;

const good: ShapeOptions = { numQHeads: 32, numKvHeads: 8, headDim: 128 };

describe('a shape', () => {
  test('is given its defaults and derived counts', () => {
    expect(checkShape(good)).toEqual({
      ...good,
      vHeadDim: 128,
      features: {},
      batch: 1,
      qLen: 1,
      causal: true,
      groupSize: 4,
      rowsPerKvHead: 4,
      rows: 32,
    });
    expect(checkShape({ ...good, batch: 3, qLen: 5 })).toMatchObject({
      groupSize: 4,
      rowsPerKvHead: 20,
      rows: 480,
    });
  });

  test.each([
    [{ numQHeads: 30 }, 'shape: numQHeads (30) must be a multiple of numKvHeads (8)'],
    [{ numQHeads: 4 }, 'shape: numQHeads (4) must be a multiple of numKvHeads (8)'],
    [{ numQHeads: 0 }, 'numQHeads: expected a whole number from 1 to 1024, got 0'],
    [{ numQHeads: -8 }, 'numQHeads: expected a whole number from 1 to 1024, got -8'],
    [{ numQHeads: 8.5 }, 'numQHeads: expected a whole number from 1 to 1024, got 8.5'],
    [{ numQHeads: 1e12 }, 'numQHeads: expected a whole number from 1 to 1024, got 1000000000000'],
    [{ numKvHeads: 0 }, 'numKvHeads: expected a whole number from 1 to 1024, got 0'],
    [{ numKvHeads: NaN }, 'numKvHeads: expected a whole number from 1 to 1024, got NaN'],
    [{ batch: 0 }, 'batch: expected a whole number from 1 to 4096, got 0'],
    [{ batch: 5000 }, 'batch: expected a whole number from 1 to 4096, got 5000'],
    [{ qLen: 0 }, 'qLen: expected a whole number from 1 to 32768, got 0'],
    [{ qLen: 32769 }, 'qLen: expected a whole number from 1 to 32768, got 32769'],
    [{ headDim: 100 }, 'shape: headDim: expected a multiple of 8 from 8 to 512, got 100'],
    [{ headDim: 0 }, 'shape: headDim: expected a multiple of 8 from 8 to 512, got 0'],
    [{ headDim: NaN }, 'shape: headDim: expected a multiple of 8 from 8 to 512, got NaN'],
  ])('%o', async (wrong, expected) => {
    expect(await message(ShapeError, () => checkShape({ ...good, ...wrong }))).toContain(expected);
  });
});

describe('a decoder', () => {
  test.each<[Partial<DecoderOptions>, string]>([
    [{ numQHeads: 7 }, 'numQHeads (7) must be a multiple of numKvHeads (2)'],
    [{ numQHeads: 0 }, 'numQHeads: expected a whole number from 1 to 1024, got 0'],
    [{ qLen: 32769 }, 'qLen: expected a whole number from 1 to 32768, got 32769'],
    [{ kernel: 'flash' as never }, `${KERNEL_LIST}, got "flash"`],
    [{ kernel: 'toString' as never }, `${KERNEL_LIST}, got "toString"`],
    [{ kernel: 'fused' as never }, `${KERNEL_LIST}, got "fused"`],
    [
      { variant: { template: 'shuffle' } as never },
      'variant: template must be one of registers, tiles, prefill, got "shuffle"',
    ],
    [{ variant: {} as never }, 'variant: template must be one of registers, tiles, prefill, got undefined'],
    [{ variant: { ...TILES, tile: 0 } }, 'variant: tile: expected a whole number from 1 to 65536, got 0'],
    [
      { variant: { ...TILES, wgSize: 17.5 } },
      'variant: wgSize: expected a whole number from 1 to 65536, got 17.5',
    ],
    [
      { variant: { ...TILES, rowBlock: -1 } },
      'variant: rowBlock: expected a whole number from 1 to 65536, got -1',
    ],
    [
      { variant: { template: 'tiles' } as never },
      'variant: wgSize: expected a whole number from 1 to 65536, got undefined',
    ],
    [{ causal: 'no' as never }, 'causal: expected true or false, got "no"'],
  ])('%o', async (wrong, expected) => {
    const make = () => createDecoder(device, { cache, numQHeads: 8, ...wrong });
    expect(await message(ShapeError, make)).toContain(expected);
  });

  test('whose variant needs more than the device has', async () => {
    const needed = device.facts.maxInvocations * 2;
    for (const variant of [
      { ...TILES, wgSize: needed, tile: needed },
      { ...REGISTERS, wgSize: needed },
    ]) {
      if (variant.template === 'registers' && !device.facts.subgroups) continue;
      const options = { cache, numQHeads: 8, variant };
      const error = await failure(LimitExceededError, () => createDecoder(device, options));
      expect(error).toMatchObject({ limit: 'maxComputeInvocationsPerWorkgroup', needed });
      expect(error.available).toBe(device.facts.maxInvocations);
    }
    const wide = { cache, numQHeads: 8, variant: { ...TILES, rowBlock: 4000 } };
    const memory = await failure(LimitExceededError, () => createDecoder(device, wide));
    expect(memory.limit).toBe('maxComputeWorkgroupStorageSize');
    expect(memory.message).toContain(
      `needed ${memory.needed}, available ${device.facts.maxWorkgroupStorage}`,
    );
  });

  test('that asks for subgroups on a device without them', async () => {
    using bare = await ownDevice();
    const own = await createKvCache(bare, { numKvHeads: 1, headDim: 64, capacity: 4 });
    for (const wanted of [{ kernel: 'registers' }, { variant: REGISTERS }] as const) {
      const options = { cache: own, numQHeads: 1, ...wanted };
      const error = await failure(FeatureMissingError, () => createDecoder(bare, options));
      expect(error.feature).toBe('subgroups');
      expect(error.message).toBe('registers: the kernel needs subgroups, the device has none');
    }
  });

  test.runIf(hasSubgroups)('whose teams do not lie within a subgroup', async () => {
    const lanes = 2 * mostLanes(device.facts);
    const variant = { ...REGISTERS, lanes, wgSize: lanes };
    const make = () => createDecoder(device, { cache, numQHeads: 8, variant });
    expect(await message(ShapeError, make)).toMatch(
      new RegExp(`^registers: lanes: expected .*\\b${lanes / 2}, got ${lanes}$`),
    );
  });

  test('on a cache of another device', async () => {
    using other = await ownDevice();
    const make = () => createDecoder(other, { cache, numQHeads: 8 });
    await expect(make).rejects.toThrow(GqaError);
    await expect(make).rejects.toThrow(/cache belongs to another GqaDevice/);
  });

  test('on a destroyed cache', async () => {
    const gone = await createKvCache(device, { numKvHeads: 1, headDim: 64, capacity: 4 });
    gone.destroy();
    const make = () => createDecoder(device, { cache: gone, numQHeads: 1 });
    expect(await message(DestroyedError, make)).toBe(
      'the kv cache was destroyed and cannot be used any more',
    );
  });
});

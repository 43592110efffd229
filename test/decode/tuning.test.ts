// tuning.test.ts: what was measured, kept and found again; what is no tuning is refused.
import { describe, expect, test } from 'vitest';
import {
  cacheLayout,
  checkShape,
  createDecoder,
  createKvCache,
  ShapeError,
  type FusedVariant,
} from '../../src/index.ts';
import { planContext } from '../../src/decode/planContext.ts';
import {
  deviceKey,
  NO_TUNING,
  parseTuning,
  shapeClass,
  tunedFor,
  withEntry,
} from '../../src/decode/tuning.ts';
import { Tuning } from '../../src/tuning.ts';
import { testDevice } from '../support/device.ts';
import { message } from '../support/failure.ts';
import { SOFTWARE_FACTS } from '../support/deviceFacts.ts';

const TILES: FusedVariant = { template: 'tiles', wgSize: 16, tile: 16, rowBlock: 4, mixWords: 1 };
const infoOf = (device: string) =>
  ({
    vendor: 'acme',
    architecture: 'one',
    device,
    description: 'Acme One',
    subgroupMinSize: 8,
    subgroupMaxSize: 32,
  }) as GPUAdapterInfo;

const INFO = infoOf('');

const COMMON = { batch: 3, numKvHeads: 2, headDim: 64 };
const GIVEN = { ...COMMON, numQHeads: 8 };
const shape = checkShape(GIVEN);
const layout = cacheLayout({ ...COMMON, capacity: 64, kType: 'f16' });

describe('names', () => {
  test('a device is all that its adapter tells', () => {
    expect(deviceKey(INFO)).toBe('acme | one | Acme One | subgroups 8-32');
  });

  test('a class of shapes rounds its KV heads up to a power of two', () => {
    expect(shapeClass(shape, layout)).toBe('d64_rows4_heads8_f16');
    expect(shapeClass(checkShape({ ...GIVEN, batch: 4 }), layout)).toBe('d64_rows4_heads8_f16');
    expect(shapeClass(checkShape({ ...GIVEN, batch: 5 }), layout)).toBe('d64_rows4_heads16_f16');
    expect(shapeClass(checkShape({ ...GIVEN, qLen: 2 }), layout)).toBe('d64_rows8_heads8_f16');
    expect(shapeClass(shape, { kType: 'int8', vType: 'int4' })).toBe('d64_rows4_heads8_int8-int4');
    const unequal = checkShape({ ...GIVEN, headDim: 192, vHeadDim: 128 });
    expect(shapeClass(unequal, layout)).toBe('d192-128_rows4_heads8_f16');
  });
});

describe('a tuning', () => {
  const tuning = withEntry(NO_TUNING, deviceKey(INFO), shapeClass(shape, layout), {
    variant: TILES,
    slots: 5,
  });

  test('gives what was kept, for the device and the class alone', () => {
    expect(tunedFor(tuning, INFO, SOFTWARE_FACTS, shape, layout)).toEqual({ variant: TILES, slots: 5 });
    expect(tunedFor(tuning, infoOf('two'), SOFTWARE_FACTS, shape, layout)).toBeUndefined();
    expect(tunedFor(tuning, INFO, SOFTWARE_FACTS, shape, { kType: 'f32', vType: 'f16' })).toBeUndefined();
    expect(tunedFor(NO_TUNING, INFO, SOFTWARE_FACTS, shape, layout)).toBeUndefined();
  });

  test('gives nothing that the device, as it was opened, cannot run', () => {
    const small = { ...SOFTWARE_FACTS, maxInvocations: TILES.wgSize - 1 };
    expect(tunedFor(tuning, INFO, small, shape, layout)).toBeUndefined();
  });

  test('keeps entries beside each other and replaces one of the same name', () => {
    const more = withEntry(tuning, deviceKey(INFO), 'd64_rows1_heads1_f16', { variant: TILES, slots: 6 });
    const again = withEntry(more, deviceKey(INFO), shapeClass(shape, layout), { variant: TILES, slots: 7 });
    expect(Object.values(again.devices[deviceKey(INFO)]!).map((entry) => entry.slots)).toEqual([7, 6]);
    expect(tunedFor(tuning, INFO, SOFTWARE_FACTS, shape, layout)!.slots).toBe(5);
  });

  test('survives JSON', () => {
    expect(parseTuning(JSON.stringify(tuning), 'here')).toEqual(tuning);
  });

  test.each([
    ['{', 'tuning.json: expected JSON, got text that is not JSON: '],
    ['[]', 'tuning.json: expected a tuning of schema "gqa-tuning/1", got an array of 0'],
    [
      '{"schema":"gqa-tuning/0","devices":{}}',
      'tuning.json: expected a tuning of schema "gqa-tuning/1", got "gqa-tuning/0"',
    ],
    ['{"schema":"gqa-tuning/1","devices":{"a":[]}}', 'tuning.json: "a": expected entries by shape'],
    [
      '{"schema":"gqa-tuning/1","devices":{"a":{"b":{"slots":1}}}}',
      'tuning.json: "a", b: expected a variant and slots',
    ],
    [
      '{"schema":"gqa-tuning/1","devices":{"a":{"b":{"variant":{},"slots":0}}}}',
      'tuning.json: "a", b: expected a variant and slots',
    ],
  ])('refuses %s', (json, expected) => {
    expect(() => parseTuning(json, 'tuning.json')).toThrow(ShapeError);
    expect(() => parseTuning(json, 'tuning.json')).toThrow(expected);
  });
});

describe('planContext', () => {
  const tuned = { variant: TILES, slots: 99 };

  test('auto takes variant and slots as they were tuned', () => {
    expect(planContext(shape, layout, SOFTWARE_FACTS, { tuned })).toMatchObject({
      kernel: 'tiles',
      ...tuned,
    });
  });

  test('a template by name takes tuned sizes only if they are its own', () => {
    const registers = planContext(shape, layout, SOFTWARE_FACTS, { kernel: 'registers', tuned });
    expect(registers).toMatchObject({ kernel: 'registers', slots: 99 });
    expect(registers.variant.template).toBe('registers');
    expect(planContext(shape, layout, SOFTWARE_FACTS, { kernel: 'tiles', tuned }).variant).toBe(TILES);
  });
});

test('a decoder finds its entry by itself', async () => {
  const device = await testDevice();
  using cache = await createKvCache(device, { numKvHeads: 2, headDim: 64, capacity: 8 });
  const own = checkShape({ numQHeads: 8, numKvHeads: 2, headDim: 64 });
  const key = deviceKey(device.gpu.adapterInfo);
  const tuning = withEntry(NO_TUNING, key, shapeClass(own, cache.layout), { variant: TILES, slots: 2 });
  using decoder = await createDecoder(device, { cache, numQHeads: 8, tuning });
  expect(decoder.context).toMatchObject({ kernel: 'tiles', variant: TILES, slots: 2 });
  using other = await createDecoder(device, { cache, numQHeads: 2, tuning });
  expect(other.context.slots).not.toBe(2);
});

describe('a decoder whose entry cannot be used', () => {
  const CLASS = 'd64_rows4_heads2_f32';

  /** A decoder of that class for a tuning of one entry, of this device unless said otherwise. */
  async function decoderOf(variant: unknown, { name = CLASS, of = '' } = {}) {
    const device = await testDevice();
    using cache = await createKvCache(device, { numKvHeads: 2, headDim: 64, capacity: 8 });
    const key = of || deviceKey(device.gpu.adapterInfo);
    const tuning = { ...NO_TUNING, devices: { [key]: { [name]: { variant, slots: 2 } as never } } };
    return createDecoder(device, { cache, numQHeads: 8, tuning });
  }

  test('takes the default where the device, as it was opened, has too little, and says so', async () => {
    const device = await testDevice();
    using cache = await createKvCache(device, { numKvHeads: 2, headDim: 64, capacity: 8 });
    const { maxInvocations } = device.facts;
    using tuned = await decoderOf({ ...TILES, wgSize: 2 * maxInvocations });
    using plain = await createDecoder(device, { cache, numQHeads: 8 });
    const tunedFault = `decode_tiles: maxComputeInvocationsPerWorkgroup needed ${2 * maxInvocations}, available ${maxInvocations}`;
    expect(tuned.context).toEqual({ ...plain.context, tunedFault });
    expect(plain.context.tunedFault).toBeUndefined();
  });

  test.each<[string, unknown, { name?: string }, string]>([
    ['a size that is no number', { ...TILES, wgSize: '16' }, {}, 'variant: wgSize: expected'],
    ['a size that is missing', { template: 'tiles', wgSize: 16 }, {}, 'variant: tile: expected'],
    ['a size there is not', { ...TILES, lanes: 4 }, {}, 'there is no option lanes'],
    ['sizes that no kernel has', { ...TILES, tile: 7777 }, {}, 'got 7777'],
    ['another template', { ...TILES, template: 'fast' }, {}, 'template must be one of'],
    ['the same of another class', { ...TILES, wgSize: 0 }, { name: 'd128_rows1_heads1_f16' }, 'wgSize'],
    ['no class of shapes', TILES, { name: 'd64_rows4' }, 'expected a class of shapes such as'],
  ])('refuses %s', async (_, variant, at, expected) => {
    const error = await message(ShapeError, () => decoderOf(variant, at));
    expect(error).toMatch(/^decoder: tuning: entry d\d+_\w+ of ".+": /);
    expect(error).toContain(expected);
  });

  test('passes over those of other devices, whatever they are', async () => {
    using decoder = await decoderOf({ template: 'fast' }, { of: 'another device' });
    expect(decoder.context.tunedFault).toBeUndefined();
  });
});

describe('Tuning', () => {
  const entry = { variant: TILES, slots: 3 };

  test('finds for a device what was put in for it and the class of the shape, and leaves the old one as it was', async () => {
    const device = await testDevice();
    const tuning = Tuning.with(Tuning.none, device, shape, layout, entry);
    expect(Tuning.for(tuning, device, shape, layout)).toEqual(entry);
    expect(Tuning.for(tuning, device, checkShape({ ...GIVEN, numQHeads: 4 }), layout)).toBeUndefined();
    expect(Tuning.for(Tuning.none, device, shape, layout)).toBeUndefined();
    expect(Tuning.faults(tuning, device)).toEqual([]);
    expect(Tuning.parse(JSON.stringify(tuning), 'a file')).toEqual(tuning);
    expect(Tuning.none.devices).toEqual({});
  });

  test('says what a device cannot use, and does not find it', async () => {
    const device = await testDevice();
    const tuning = Tuning.with(Tuning.none, device, shape, layout, {
      variant: { ...TILES, wgSize: 2 ** 16 },
      slots: 3,
    });
    expect(Tuning.faults(tuning, device)).toEqual([expect.stringContaining('is not used')]);
    expect(Tuning.for(tuning, device, shape, layout)).toBeUndefined();
  });
});

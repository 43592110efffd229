// tuningFaults.test.ts: entries of a tuning that cannot be used, one thing wrong at a time.
import { describe, expect, test } from 'vitest';
import { cacheLayout, checkShape, type KvType, type Tuning } from '../../src/index.ts';
import { planContext } from '../../src/decode/planContext.ts';
import { deviceKey, NO_TUNING, shapeClass } from '../../src/decode/tuning.ts';
import { tuningFaults } from '../../src/decode/tuningFaults.ts';
import { GPU_FACTS, SOFTWARE_FACTS } from '../support/deviceFacts.ts';

const INFO = {
  vendor: 'acme',
  architecture: 'one',
  device: '',
  description: 'Acme One',
  subgroupMinSize: 32,
  subgroupMaxSize: 32,
} as GPUAdapterInfo;

const OWN = deviceKey(INFO);
const CLASS = 'd64_rows4_heads8_f16';
const TILES = { template: 'tiles', wgSize: 16, tile: 16, rowBlock: 4, mixWords: 1 };

/** A tuning of one entry; `variant` is what a file says, whatever that is. */
function tuningOf(device: string, name: string, variant: object): Tuning {
  return { ...NO_TUNING, devices: { [device]: { [name]: { variant, slots: 3 } as never } } };
}

/** The faults of one entry. */
function faultsOf(variant: object, { device = OWN, name = CLASS, facts = GPU_FACTS } = {}): string[] {
  return tuningFaults(tuningOf(device, name, variant), INFO, facts);
}

test('entries that can be used have none', () => {
  expect(faultsOf(TILES)).toEqual([]);
  expect(tuningFaults(NO_TUNING, INFO, GPU_FACTS)).toEqual([]);
});

test('what a device would take itself has none, whatever the shape and types', () => {
  for (const facts of [GPU_FACTS, SOFTWARE_FACTS]) {
    for (const [numQHeads, headDim, vHeadDim = headDim] of [
      [4, 64],
      [32, 128],
      [71, 256],
      [4, 192, 128],
    ] as const) {
      for (const types of [{ kType: 'f16' }, { kType: 'int8', vType: 'int4' }] satisfies {
        kType: KvType;
        vType?: KvType;
      }[]) {
        const shape = checkShape({ batch: 64, numQHeads, numKvHeads: 1, headDim, vHeadDim });
        const layout = cacheLayout({ batch: 64, numKvHeads: 1, headDim, vHeadDim, capacity: 64, ...types });
        const { variant } = planContext(shape, layout, facts);
        expect(faultsOf(variant, { name: shapeClass(shape, layout), facts })).toEqual([]);
      }
    }
  }
});

describe('an entry for this device', () => {
  const start = `entry ${CLASS} of "${OWN}" is not used: `;

  test.each<[string, object, string]>([
    ['more invocations than it has', { ...TILES, wgSize: 7776 }, 'maxComputeInvocationsPerWorkgroup'],
    ['sizes that no kernel has', { ...TILES, tile: 7777 }, 'got 7777'],
    ['a size that is missing', { template: 'tiles', wgSize: 16 }, 'variant: tile: expected a whole number'],
    ['a size that is no number', { ...TILES, wgSize: '16' }, 'wgSize'],
    [
      'a template that there is not',
      { ...TILES, template: 'fast' },
      'must be one of registers, tiles, prefill, got "fast"',
    ],
    ['no template', { wgSize: 16 }, 'got undefined'],
  ])('with %s', (_, variant, text) => {
    const [fault, ...others] = faultsOf(variant);
    expect(others).toEqual([]);
    expect(fault!.slice(0, start.length)).toBe(start);
    expect(fault).toContain(text);
  });

  test('that needs what the device lacks', () => {
    const registers = {
      template: 'registers',
      wgSize: 32,
      lanes: 8,
      tokens: 2,
      teamRows: 4,
      blocks: 1,
      q: 'registers',
      code: 'gpu',
    };
    expect(faultsOf(registers, { facts: { ...GPU_FACTS, subgroups: false } })[0]).toContain('subgroups');
  });
});

test.each(['d64_rows4_heads8_f64', 'd65_rows4_heads8_f16', 'f16', 'd64_rows4_f16', ''])(
  'an entry for no class of shapes, "%s"',
  (name) => {
    expect(faultsOf(TILES, { name })).toHaveLength(1);
  },
);

describe('entries for other devices', () => {
  test('are judged only by what holds on every device', () => {
    const own = tuningOf(OWN, CLASS, TILES).devices;
    const other = (variant: object) => {
      const devices = { ...own, ...tuningOf('other', CLASS, variant).devices };
      return tuningFaults({ ...NO_TUNING, devices }, INFO, GPU_FACTS);
    };
    expect(other({ ...TILES, wgSize: 7776 })).toEqual([]);
    expect(other({ ...TILES, template: 'fast' })).toHaveLength(1);
  });

  test('alone are told: none is for this one', () => {
    expect(faultsOf(TILES, { device: 'other' })).toEqual([
      `no entry is for this device, "${OWN}"; there are some for "other"`,
    ]);
  });
});

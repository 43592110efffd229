// probe.test.ts: decoders on devices whose subgroups are not as the kernels need them, or not of the size that is named.
import { describe, expect, onTestFinished, test } from 'vitest';
import { randomProblem } from '../../src/reference/problem.ts';
import { runProblem } from '../../bench/check/runProblem.ts';
import { expect64, verify } from '../../src/reference/verify.ts';
import {
  borrowDevice,
  createDecoder,
  createKvCache,
  DeviceLostError,
  FeatureMissingError,
  checkShape,
  type DecoderOptions,
  type DeviceFacts,
  type GqaDevice,
} from '../../src/index.ts';
import { probedFacts, probeSubgroups, subgroupReports } from '../../src/decode/probe.ts';
import { deviceKey, NO_TUNING, shapeClass, withEntry } from '../../src/decode/tuning.ts';
import type { RegistersVariant } from '../../src/kernels/decodeRegisters.ts';
import { testDevice } from '../support/device.ts';
import { failure } from '../support/failure.ts';
import { ownDevice } from '../support/ownDevice.ts';

const { subgroups } = (await testDevice()).facts;
const CACHE = { numKvHeads: 2, headDim: 64, capacity: 64 } as const;
const SHAPE = { numQHeads: 8, numKvHeads: 2, headDim: 64 } as const;

type Edit = (code: string) => string;

/**
 * A device of its own whose probe, or another kernel, is another shader: as `edit` makes it. Counts the probes that are
 * compiled.
 */
async function deviceWith(
  edit: Edit = (code) => code,
  kernel = 'subgroup_probe',
): Promise<GqaDevice & { probes: number }> {
  const own = await ownDevice(['subgroups']);
  onTestFinished(() => own.destroy());
  const counted = Object.assign(own, { probes: 0 });
  const create = own.gpu.createShaderModule.bind(own.gpu);
  own.gpu.createShaderModule = (module) => {
    if (module.label === 'subgroup_probe') counted.probes++;
    if (module.label !== kernel) return create(module);
    return create({ ...module, code: edit(module.code) });
  };
  return counted;
}

/** Subgroups that are half full: their teams' numbers leave some out. */
const halfFull: Edit = (code) => code.replace('vec4<u32>(team_of(me),', 'vec4<u32>(2u * team_of(me),');
const deaf: Edit = (code) => code.replace('return quadSwapX(x)', 'return 1.0 + quadSwapX(x)');
const broken: Edit = (code) => `${code}\nfn no_such() { nothing(); }`;

async function decoderOn(device: GqaDevice, options: Partial<DecoderOptions> = {}) {
  const cache = await createKvCache(device, CACHE);
  const decoder = await createDecoder(device, { numQHeads: SHAPE.numQHeads, cache, ...options });
  decoder.destroy();
  cache.destroy();
  return decoder.context;
}

describe.runIf(subgroups)('subgroups as they should be', () => {
  test('are probed once, whatever decoders follow, and however often the device is wrapped', async () => {
    const device = await deviceWith();
    const { kernel, variant, subgroups: report } = await decoderOn(device, { kernel: 'registers' });
    expect(kernel).toBe('registers');
    const { wgSize, lanes } = variant as RegistersVariant;
    expect(report).toMatchObject({ wgSize, lanes });
    expect(report).not.toHaveProperty('fault');
    const { probes } = device;
    expect(probes).toBeLessThanOrEqual(2); // the device's, and of this size of teams
    for (let i = 0; i < 5; i++) await decoderOn(device, { kernel: 'registers' });
    await decoderOn(borrowDevice(device.gpu), { kernel: 'registers' });
    await Promise.all([probedFacts(device), probedFacts(device)]);
    expect(device.probes).toBe(probes);
    expect(await subgroupReports(device)).toHaveLength(probes);
    expect(await subgroupReports(device)).toContainEqual(report);
  });

  test('are left alone where no kernel on them was asked for', async () => {
    const device = await deviceWith(halfFull);
    expect((await decoderOn(device, { kernel: 'plain' })).kernel).toBe('plain');
    expect((await decoderOn(device, { kernel: 'tiles' })).kernel).toBe('tiles');
    expect(device.probes).toBe(0);
    expect(await subgroupReports(device)).toEqual([]);
  });
});

describe.runIf(subgroups)('subgroups as they should not be', () => {
  test.each<[string, Edit, string | RegExp]>([
    [
      'not full',
      halfFull,
      /are not full or not numbered in a row: lane 0 of team 1 is held by 0 invocations/,
    ],
    ['that mishear', deaf, /an invocation of team \d+ heard \d+ wrong values of its team/],
    ['whose probe does not compile', broken, /^subgroup_probe: line .*nothing/s],
  ])('%s: auto takes tiles and says why; what was asked for is refused', async (_, edit, fault) => {
    const device = await deviceWith(edit);
    const context = await decoderOn(device);
    expect(context.kernel).toBe('tiles');
    expect(context.subgroups?.fault).toMatch(fault);
    const variant: RegistersVariant = {
      template: 'registers',
      wgSize: 8,
      lanes: 4,
      tokens: 1,
      teamRows: 2,
      blocks: 1,
      q: 'registers',
      code: 'gpu',
    };
    for (const options of [{ kernel: 'registers' }, { variant }] as const) {
      const error = await failure(FeatureMissingError, () => decoderOn(device, options));
      expect(error.message).toBe(
        `registers: the device's subgroups cannot be used: ${context.subgroups!.fault}`,
      );
    }
    expect((await probedFacts(device)).facts).toEqual({ ...device.facts, subgroups: false });
    await device.idle();
  });

  test('the result is right, and what was tuned for them is passed over', async () => {
    const device = await deviceWith(halfFull);
    const problem = randomProblem({ ...SHAPE, kvLens: [70] });
    const { variant } = await decoderOn(await deviceWith(), { kernel: 'registers' });
    const shape = shapeClass(checkShape(SHAPE), { kType: 'f32', vType: 'f32' });
    const entry = { variant, slots: 3 };
    const tuning = withEntry(NO_TUNING, deviceKey(device.gpu.adapterInfo), shape, entry);
    expect((await decoderOn(await deviceWith(), { tuning })).slots).toBe(3);
    const passed = await decoderOn(device, { tuning });
    expect([passed.kernel, passed.slots === 3]).toEqual(['tiles', false]);
    expect((await decoderOn(device, { tuned: entry })).kernel).toBe('tiles');
    const { o, lse } = await runProblem(device, problem, { tuning });
    expect(verify(expect64(problem), o, lse)).toMatchObject({ pass: true });
  });

  test('of one size of teams alone', async () => {
    const device = await deviceWith((code) =>
      code.includes('const WG_SIZE = 16u;') ? halfFull(code) : code,
    );
    const small = {
      template: 'registers',
      wgSize: 16,
      lanes: 4,
      tokens: 1,
      teamRows: 4,
      blocks: 1,
      q: 'registers',
      code: 'gpu',
    } as const;
    expect((await decoderOn(device, { kernel: 'registers' })).kernel).toBe('registers');
    expect((await failure(FeatureMissingError, () => decoderOn(device, { variant: small }))).message).toMatch(
      /\(workgroups of 16, teams of 4\)$/,
    );
    const passed = await decoderOn(device, { tuned: { variant: small, slots: 3 } });
    expect(passed.kernel).toBe('tiles');
    expect(passed.subgroups).toMatchObject({ wgSize: 16, lanes: 4 });
  });
});

describe.runIf(subgroups)('devices that say less than they have', () => {
  const pretending = (device: GqaDevice, facts: Partial<DeviceFacts>): GqaDevice =>
    Object.assign(borrowDevice(device.gpu), { facts: { ...device.facts, ...facts } });

  test('one size of subgroups behind a range: sizes are chosen by the true one', async () => {
    const device = await deviceWith();
    const size = (await probeSubgroups(device, { wgSize: 64, lanes: 2 })).subgroupSize;
    const range = { software: false, subgroupMinSize: 4, subgroupMaxSize: 64 };
    const metal = pretending(device, { ...range, vendor: 'apple' });
    expect((await probedFacts(metal)).facts).toEqual({
      ...metal.facts,
      subgroupMinSize: size,
      subgroupMaxSize: size,
    });
    const lanesOf = async (on: GqaDevice) =>
      ((await decoderOn(on, { kernel: 'registers' })).variant as RegistersVariant).lanes;
    expect(await lanesOf(metal)).toBe(Math.min(16, size));
    // Where a compiler chooses the size anew for each shader, what the probe had says nothing of others.
    const others = pretending(device, { ...range, vendor: 'samsung' });
    expect(await lanesOf(others)).toBe(4);
  });

  describe('teams larger than the smallest subgroups', () => {
    const range = { software: false, vendor: 'intel', subgroupMinSize: 4, subgroupSizeControl: false };
    const lanesOn = async (edit?: Edit, facts?: Partial<DeviceFacts>, edited?: string) => {
      const device = pretending(await deviceWith(edit, edited), { ...range, ...facts });
      const { variant, subgroupSize } = await decoderOn(device, { kernel: 'registers' });
      return { lanes: (variant as RegistersVariant).lanes, subgroupSize };
    };

    test('are taken where the probe has them, and not where it does not', async () => {
      const { subgroupMinSize: size } = (await deviceWith()).facts;
      expect(await lanesOn(undefined, { subgroupMaxSize: size })).toEqual({ lanes: Math.min(16, size) });
      const lacking: Edit = (code) => (code.includes(`const LANES = ${size}u;`) ? halfFull(code) : code);
      if (size > 4) expect(await lanesOn(lacking, { subgroupMaxSize: size })).toEqual({ lanes: 4 });
    });

    test('are given up where the kernel itself got smaller ones', async () => {
      const { subgroupMinSize: size } = (await deviceWith()).facts;
      if (size === 4) return; // there are none
      // Of the two kernels, with log-sum-exps and without, one alone.
      const smaller: Edit = (code) =>
        code.includes('var<storage, read_write> lse')
          ? code.replace('size_of(me) < LANES', 'size_of(me) > 4u')
          : code;
      expect(await lanesOn(smaller, { subgroupMaxSize: size }, 'decode_registers')).toEqual({ lanes: 4 });
    });

    test('are asked for where the device lets a shader choose', async () => {
      const { facts } = await deviceWith();
      const { subgroupMinSize: size } = facts;
      if (size === 4 || !facts.subgroupSizeControl) return; // nothing to choose
      const control = { vendor: 'amd', subgroupMaxSize: size, subgroupSizeControl: true };
      expect(await lanesOn(undefined, control)).toEqual({ lanes: size, subgroupSize: size });
    });
  });
});

test.runIf(subgroups)('a lost device is that, not one without subgroups, and is not remembered', async () => {
  const device = await deviceWith();
  const cache = await createKvCache(device, CACHE);
  device.gpu.destroy();
  await failure(DeviceLostError, () => createDecoder(device, { numQHeads: SHAPE.numQHeads, cache }));
  await expect(subgroupReports(device)).resolves.toEqual([]);
});

// subgroupProbe.test.ts: subgroup_probe against its twin, on emulated subgroups dealt in every way; what its result is judged to
// be; and that decode_registers is wrong on just those that are refused.
import { describe, expect, test } from 'vitest';
import { chooseRegisters } from '../../../src/kernels/registersSizes.ts';
import { workgroupsPerItem } from '../../../src/kernels/fused.ts';
import { shapeOf } from '../../../src/reference/problem.ts';
import {
  judgeProbe,
  PROBE_GRID,
  probeBytes,
  subgroupProbe as subgroupProbeKernel,
  teamsOf,
  type TeamSizes,
} from '../../../src/kernels/probe/subgroupProbe.ts';
import { decodeRegisters } from '../../reference/decodeRegisters.ts';
import { subgroupProbe } from '../../reference/subgroupProbe.ts';
import { testDevice } from '../../support/device.ts';
import { GPUS, SUBGROUP_SIZES, withSubgroups } from '../../support/deviceFacts.ts';
import { problemOf } from '../../support/fusedCases.ts';
import { runsOf } from '../../support/registersSizes.ts';
import { expectFused, itemsOf, runFused, stepWords } from '../../support/runDecode.ts';
import { runKernel } from '../../support/runKernel.ts';
import {
  byIndex,
  emulatedProbe,
  emulatedRegisters,
  everySecond,
  partlyFilled,
  ragged,
  renumbered,
  scattered,
  subgroupTable,
  withHoles,
  type Subgroups,
} from '../../support/subgroupEmulation.ts';

const device = await testDevice();

const unwritten = (sizes: TeamSizes) => new Uint32Array(probeBytes(sizes) / 4).fill(0xfefefefe);

/** The words of `seen` on emulated subgroups. */
async function probed(sizes: TeamSizes, subgroups: Subgroups): Promise<Uint32Array> {
  const { seen } = await runKernel(device, {
    kernel: emulatedProbe(sizes),
    grid: PROBE_GRID,
    inputs: {},
    outputs: { seen: unwritten(sizes) },
    step: stepWords({ capacity: 1, kvLens: [], tail: subgroupTable(subgroups) }),
  });
  return seen as Uint32Array;
}

const WG_SIZE = 64;

/** Dealings that teams of up to `size` invocations can rely on. */
const GOOD: readonly (readonly [string, Subgroups])[] = SUBGROUP_SIZES.flatMap((size) => [
  [`${size}, by index`, { size, places: byIndex(WG_SIZE) }] as const,
  [`${size}, scattered`, { size, places: scattered(WG_SIZE) }] as const,
  ...(size <= WG_SIZE ? [[`${size}, renumbered`, { size, places: renumbered(WG_SIZE, size) }] as const] : []),
]);

/** Dealings that teams of eight cannot rely on. */
const BAD: readonly (readonly [string, Subgroups])[] = [
  ['32, of which 8 are there', { size: 32, places: partlyFilled(WG_SIZE, 32, 8) }],
  ['32, of which 16 are there', { size: 32, places: partlyFilled(WG_SIZE, 32, 16) }],
  ['32, of which 12 are there', { size: 32, places: partlyFilled(WG_SIZE, 32, 12) }],
  ['16, of which 8 are there', { size: 16, places: partlyFilled(WG_SIZE, 16, 8) }],
  ['128, of which 32 are there', { size: 128, places: partlyFilled(WG_SIZE, 128, 32) }],
  ['16, every second number left out', { size: 16, places: everySecond(WG_SIZE, 16) }],
  ['32, the first of which lacks 8', { size: 32, places: ragged(WG_SIZE, 32, 8) }],
  ['32, the first of which lacks 4', { size: 32, places: ragged(WG_SIZE, 32, 4) }],
  ['32, every second place free', { size: 32, places: withHoles(WG_SIZE) }],
  ['4, smaller than a team', { size: 4, places: byIndex(WG_SIZE) }],
];

describe('subgroup_probe', () => {
  test.each([2, 4, 8, 16])('teams of %i: what it sees, as the twin', async (lanes) => {
    const sizes = { wgSize: WG_SIZE, lanes };
    for (const [name, subgroups] of [...GOOD, ...BAD]) {
      if (subgroups.size < lanes / 2) continue; // no team reaches as far
      const seen = Array.from(await probed(sizes, subgroups));
      const group = subgroupProbe(subgroups, lanes).flat();
      expect(seen, name).toEqual([...group, ...group, ...group, ...group]);
    }
  });

  test.runIf(device.facts.subgroups)(
    'this device’s own subgroups, in workgroups smaller and larger',
    async () => {
      const { subgroupMinSize } = device.facts;
      for (const wgSize of [4, 8, 32, 128, 256]) {
        for (const lanes of [2, 4, 8, 16].filter((n) => n <= Math.min(wgSize, subgroupMinSize))) {
          const sizes = { wgSize, lanes };
          const kernel = subgroupProbeKernel(sizes);
          const outputs = { seen: unwritten(sizes) };
          const { seen } = await runKernel(device, { kernel, grid: PROBE_GRID, inputs: {}, outputs });
          const report = judgeProbe(sizes, seen as Uint32Array);
          expect(report).toEqual({ ...sizes, subgroupSize: report.subgroupSize });
          expect(report.subgroupSize).toBeGreaterThanOrEqual(subgroupMinSize);
          expect(report.subgroupSize).toBeLessThanOrEqual(device.facts.subgroupMaxSize);
        }
      }
    },
  );
});

describe('judgeProbe', () => {
  const seenBy = (subgroups: Subgroups, lanes: number) =>
    Uint32Array.from(Array.from({ length: 4 }, () => subgroupProbe(subgroups, lanes).flat()).flat());

  test.each(GOOD.filter(([, { size }]) => size >= 8))('accepts subgroups of %s', (_, subgroups) => {
    const sizes = { wgSize: WG_SIZE, lanes: 8 };
    expect(judgeProbe(sizes, seenBy(subgroups, 8))).toEqual({ ...sizes, subgroupSize: subgroups.size });
  });

  test.each(BAD)('refuses subgroups of %s', (_, subgroups) => {
    const report = judgeProbe({ wgSize: WG_SIZE, lanes: 8 }, seenBy(subgroups, 8));
    expect(report.subgroupSize).toBe(subgroups.size);
    expect(report.fault).toMatch(/ \(workgroups of 64, teams of 8\)$/);
  });

  test('says what it saw', () => {
    const half = { size: 32, places: partlyFilled(WG_SIZE, 32, 16) };
    expect(judgeProbe({ wgSize: WG_SIZE, lanes: 8 }, seenBy(half, 8)).fault).toBe(
      'subgroups of 32 are not full or not numbered in a row: lane 0 of team 2 is held by 0 invocations, expected 1 (workgroups of 64, teams of 8)',
    );
  });

  test('refuses one workgroup of several, a wrong exchange, and what was never written', () => {
    const sizes = { wgSize: WG_SIZE, lanes: 8 };
    const good = () => seenBy({ size: 16, places: byIndex(WG_SIZE) }, 8);
    const [late, deaf] = [good(), good()];
    late[4 * (3 * WG_SIZE + 5)] = 7;
    deaf[4 * (2 * WG_SIZE + 9) + 3] = 2;
    expect(judgeProbe(sizes, late).fault).toContain('lane 5 of team 0 is held by 0 invocations');
    expect(judgeProbe(sizes, deaf).fault).toContain(
      'an invocation of team 1 heard 2 wrong values of its team',
    );
    for (const word of [0, 0xfefefefe]) {
      expect(judgeProbe(sizes, good().fill(word)).fault).toContain('expected 1');
    }
  });
});

describe('decode_registers without the probe', () => {
  const given = { groupSize: 4, headDim: 64, types: ['f16', 'f16'] } as const;
  const problem = problemOf(given, [150, 70]);
  const shape = shapeOf(problem);
  const variant = { ...chooseRegisters(shape, problem, withSubgroups(GPUS.at(-1)!, 8)), wgSize: WG_SIZE };
  const items = itemsOf(problem.kvLens, 150);
  const truth = decodeRegisters(problem, items, runsOf(variant));
  const naive = decodeRegisters(problem, items, runsOf(variant), Math.fround);
  const kernel = emulatedRegisters(shape, problem, variant);

  /** Whether the kernel is right on such subgroups, and whether the probe says so. */
  async function judged(subgroups: Subgroups): Promise<{ right: boolean; accepted: boolean }> {
    const run = { kernel, workgroups: workgroupsPerItem(shape, variant), items };
    const got = await runFused(device, problem, { ...run, tail: subgroupTable(subgroups) });
    let right = true;
    try {
      expectFused(got, truth, naive);
    } catch {
      right = false;
    }
    const sizes = teamsOf(variant, GPUS[0]!)!;
    return { right, accepted: judgeProbe(sizes, await probed(sizes, subgroups)).fault === undefined };
  }

  test('the teams are of eight, several with the same rows', () => {
    expect(teamsOf(variant, GPUS[0]!)).toEqual({ wgSize: WG_SIZE, lanes: 8 });
    expect(runsOf(variant)).toBeGreaterThan(1);
  });

  test.each(BAD)('is wrong on subgroups of %s, which are refused', async (_, subgroups) => {
    expect(await judged(subgroups)).toEqual({ right: false, accepted: false });
  });

  test.each(GOOD.filter(([, { size }]) => size >= 8))(
    'is right on subgroups of %s, which are accepted',
    async (_, subgroups) => {
      expect(await judged(subgroups)).toEqual({ right: true, accepted: true });
    },
  );
});

// subgroupSizes.node.test.ts: decode_registers as devices with subgroups of 4 to 128 invocations run it, dealt in any order: on
// emulated subgroups, so that every device shows it. In Node alone: Chromium ends a GPU process that takes so long.
import { describe, expect, test } from 'vitest';
import { type StoredProblem, shapeOf } from '../../src/reference/problem.ts';
import type { DeviceFacts } from '../../src/device/deviceFacts.ts';
import { type RegistersVariant } from '../../src/kernels/decodeRegisters.ts';
import { chooseRegisters } from '../../src/kernels/registersSizes.ts';
import { variantName, workgroupsPerItem } from '../../src/kernels/fused.ts';
import { decodeRegisters } from '../reference/decodeRegisters.ts';
import type { FusedResult } from '../reference/decodeTiles.ts';
import { testDevice } from '../support/device.ts';
import { GPUS, SOFTWARE_FACTS, SUBGROUP_SIZES, withSubgroups } from '../support/deviceFacts.ts';
import { borderLengths, type Given, givenName, problemOf } from '../support/fusedCases.ts';
import { roundOf, runsOf } from '../support/registersSizes.ts';
import { expectAttention, expectFused, itemsOf, runFused } from '../support/runDecode.ts';
import { byIndex, emulatedRegisters, scattered, subgroupTable } from '../support/subgroupEmulation.ts';

const device = await testDevice();

/** One linked shader, in the sizes that are chosen for a device with subgroups of `smallest` and more. */
interface Case extends Given {
  readonly smallest: number;
  readonly facts?: DeviceFacts;
  /** In place of what is chosen. */
  readonly sizes?: Partial<RegistersVariant>;
}

const CONTROL: Case = { smallest: 8, groupSize: 4, headDim: 64, types: ['f16', 'f16'] };

const CASES: readonly Case[] = [
  CONTROL,
  { ...CONTROL, smallest: 4, groupSize: 1, types: ['int8', 'int8'] },
  { ...CONTROL, smallest: 4, groupSize: 2, types: ['int8', 'int4'] },
  { ...CONTROL, groupSize: 3, qLen: 2 },
  { ...CONTROL, smallest: 16, groupSize: 3, types: ['f32', 'f32'] },
  // SwiftShader compiles more tokens of three rows for minutes.
  { ...CONTROL, smallest: 32, groupSize: 5, headDim: 128, facts: GPUS[1]!, sizes: { tokens: 1 } },
  // A CPU's teams take a whole subgroup, however large.
  { ...CONTROL, smallest: 32, groupSize: 1, headDim: 128, types: ['f32', 'f32'], facts: SOFTWARE_FACTS },
  { ...CONTROL, smallest: 64, groupSize: 1, headDim: 256, types: ['f32', 'f32'], facts: SOFTWARE_FACTS },
  // More lanes than a row has words: 20, and 28.
  { ...CONTROL, smallest: 32, groupSize: 1, headDim: 80, types: ['f32', 'f16'], sizes: { lanes: 32 } },
  { ...CONTROL, smallest: 32, groupSize: 1, headDim: 112, types: ['int8', 'f32'], sizes: { lanes: 32 } },
];

// Teams of few rows compile fastest.
const FEW_REGISTERS = GPUS.at(-1)!;

function variantOf(
  { smallest, facts = FEW_REGISTERS, sizes }: Case,
  problem: StoredProblem,
): RegistersVariant {
  return { ...chooseRegisters(shapeOf(problem), problem, withSubgroups(facts, smallest)), ...sizes };
}

const DEALT = { 'by index': byIndex, scattered };

/** Runs a case as devices of all subgroup sizes that have room for a team do, and hands each result on. */
async function runAll(
  c: Case,
  problem: StoredProblem,
  splitLen: number,
  look: (got: FusedResult, name: string) => void,
  roomFor = (size: number, lanes: number) => size >= lanes,
): Promise<void> {
  const shape = shapeOf(problem);
  const variant = variantOf(c, problem);
  const run = {
    kernel: emulatedRegisters(shape, problem, variant),
    workgroups: workgroupsPerItem(shape, variant),
    items: itemsOf(problem.kvLens, splitLen),
  };
  for (const size of SUBGROUP_SIZES.filter((each) => roomFor(each, variant.lanes))) {
    for (const [name, placesOf] of Object.entries(DEALT)) {
      const tail = subgroupTable({ size, places: placesOf(variant.wgSize) });
      look(await runFused(device, problem, { ...run, tail }), `subgroups of ${size}, ${name}`);
    }
  }
}

const named = CASES.map(
  (c) => [`${variantName(variantOf(c, problemOf(c, [1])))} on ${givenName(c)}`, c] as const,
);

describe('decode_registers on subgroups of any size', () => {
  test.each(named)('%s', async (_, c) => {
    const round = roundOf(variantOf(c, problemOf(c, [1])));
    const problem = problemOf(c, borderLengths(c, round));
    const items = itemsOf(problem.kvLens, 2 * round);
    const runs = runsOf(variantOf(c, problem));
    const truth = decodeRegisters(problem, items, runs);
    const naive = decodeRegisters(problem, items, runs, Math.fround);
    let first: FusedResult | undefined;
    await runAll(c, problem, 2 * round, (got, name) => {
      if (!first) {
        expectFused(got, truth, naive);
        expectAttention(problem, items, got);
      }
      // Teams do the same whatever subgroups they lie in: the same bits.
      first ??= got;
      expect(got, name).toEqual(first);
    });
  });

  test('the cases have several runs, several blocks, both at once, rows that are no power of two, 4 to 64 lanes', () => {
    const variants = CASES.map((c) => variantOf(c, problemOf(c, [1])));
    expect(new Set(variants.map(({ lanes }) => lanes))).toEqual(new Set([4, 8, 16, 32, 64]));
    expect(variants.some((v) => runsOf(v) > 1 && v.blocks > 1)).toBe(true);
    expect(variants.some((v) => runsOf(v) > 1 && v.blocks === 1)).toBe(true);
    expect(variants.some(({ teamRows }) => Math.log2(teamRows) % 1 !== 0)).toBe(true);
  });

  test('a team that does not lie within a subgroup shows', async () => {
    const problem = problemOf(CONTROL, [40]);
    const items = itemsOf([40], 40);
    const truth = decodeRegisters(problem, items, 1);
    const naive = decodeRegisters(problem, items, 1, Math.fround);
    let looks = 0;
    const expectWrong = (got: FusedResult) => {
      looks++;
      expect(() => expectFused(got, truth, naive)).toThrow();
    };
    await runAll(CONTROL, problem, 40, expectWrong, (size, lanes) => size < lanes);
    expect(looks).toBe(2);
  });
});

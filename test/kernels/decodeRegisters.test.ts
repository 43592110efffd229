// decodeRegisters.test.ts: decode_registers against its twin, on the subgroups of the test device: every two of the
// sizes that are ever chosen for it, all element types, odd sizes. Other subgroup sizes: subgroupSizes.node.test.ts.
import { describe, expect, test } from 'vitest';
import { type StoredProblem, shapeOf } from '../../src/reference/problem.ts';
import { ShaderError } from '../../src/device/errors.ts';
import {
  decodeRegisters as decodeRegistersKernel,
  type RegistersVariant,
} from '../../src/kernels/decodeRegisters.ts';
import { scalesStart, WORD_BYTES } from '../../src/numbers/elements.ts';
import { checkVariant, variantName, workgroupsPerItem } from '../../src/kernels/fused.ts';
import { decodeRegisters } from '../reference/decodeRegisters.ts';
import { testDevice } from '../support/device.ts';
import { GPUS, SOFTWARE_FACTS, withSubgroups } from '../support/deviceFacts.ts';
import { check, checkBorders, type Fused, type Given, givenName, problemOf } from '../support/fusedCases.ts';
import { describeRunTimeNumbers } from '../support/fusedNumbers.ts';
import { checkHidden } from '../support/hiddenKeys.ts';
import { F32_ROWS } from '../support/rowFormats.ts';
import { itemsOf } from '../support/runDecode.ts';
import { everyTwoSizes, pairedRegisters, roundOf, runsOf } from '../support/registersSizes.ts';

const device = await testDevice();
const { subgroups, subgroupMinSize } = device.facts;

/** One linked shader. */
interface Case extends Given {
  readonly variant: RegistersVariant;
}

const sizes = (wgSize: number, lanes: number, tokens: number, teamRows: number, blocks = 1) => ({
  variant: {
    template: 'registers',
    wgSize,
    lanes,
    tokens,
    teamRows,
    blocks,
    q: 'registers',
    code: 'gpu',
  } as const,
});

const shared = (c: Case): Case => ({ ...c, variant: { ...c.variant, q: 'workgroup' } });
const cpu = (c: Case): Case => ({ ...c, variant: { ...c.variant, code: 'cpu' } });

const f16 = ['f16', 'f16'] as const;

const CONTROL: Case = { groupSize: 4, headDim: 64, types: ['f32', 'f32'], ...sizes(16, 4, 2, 2, 2) };

function fusedOf({ variant }: Case): (problem: StoredProblem) => Fused {
  return (problem) => {
    const shape = shapeOf(problem);
    checkVariant(shape, problem, variant, device.facts);
    return {
      kernel: decodeRegistersKernel(shape, problem, variant, F32_ROWS),
      workgroups: workgroupsPerItem(shape, variant),
      twin: (given, items, round) => decodeRegisters(given, items, runsOf(variant), round),
    };
  };
}

const named = <C extends Case>(cases: readonly C[]) =>
  cases
    .filter(({ variant }) => variant.lanes <= subgroupMinSize)
    .map((c) => [`${variantName(c.variant)} on ${givenName(c)}`, c] as const);

const run = (c: Case) => checkBorders(device, c, roundOf(c.variant), fusedOf(c));

// Floats of q and o that an invocation keeps, in f16 and 64 elements. lavapipe takes 5 to 30 s to compile the teams that keep
// more, all of them a CPU's. Of a GPU's sizes every two that meet are among those that run. VITE_ALL_SIZES=1 runs them all;
// test/lint.node.test.ts compiles every two of all.
const keptFloats = ({ teamRows, lanes }: RegistersVariant) => (teamRows * 2 * 64) / lanes;
const ALL = Boolean(import.meta.env.VITE_ALL_SIZES);
const MOST_FLOATS = ALL ? Infinity : 112;

// On as many rows as leave the last team, or the last block of several, one short.
const CHOSEN = [GPUS, [SOFTWARE_FACTS]]
  .map((devices) => pairedRegisters(devices.map((facts) => withSubgroups(facts, subgroupMinSize))))
  .flatMap((paired) => (ALL ? paired : everyTwoSizes(paired)))
  .filter((variant) => keptFloats(variant) <= MOST_FLOATS)
  .map((variant): Case => {
    const rows = variant.teamRows * variant.blocks;
    return { groupSize: rows > 4 ? rows - 1 : rows === 1 ? 1 : rows + 1, headDim: 64, types: f16, variant };
  });

const ONE_ROW: Case = { ...CONTROL, groupSize: 1, ...sizes(8, 4, 2, 1) };

const INT8_POSITIONS: Case = {
  ...CONTROL,
  groupSize: 1,
  qLen: 5,
  types: ['int8', 'int8'],
  ...sizes(16, 4, 2, 2, 2),
};

const CASES: readonly Case[] = [
  CONTROL,
  // Element types, alike, and mixed here and below: unequal numbers of words to a lane.
  { ...ONE_ROW, types: ['bf16', 'bf16'] },
  { ...ONE_ROW, types: ['int8', 'int8'] },
  { ...ONE_ROW, types: ['int4', 'int4'], ...sizes(8, 4, 1, 1) },
  { ...CONTROL, groupSize: 2, types: ['int8', 'int4'], ...sizes(8, 4, 2, 2) },
  // Lanes past a row's last word: 10 words of f16, 14, 24 of f32; 3 of int4, the last half empty; more lanes than words.
  { ...ONE_ROW, headDim: 80, types: f16, ...sizes(8, 8, 1, 1) },
  { ...ONE_ROW, headDim: 112, types: ['bf16', 'int4'], ...sizes(8, 8, 1, 1) },
  { ...ONE_ROW, headDim: 112, types: ['int4', 'f16'], ...sizes(8, 4, 1, 1) },
  { ...ONE_ROW, headDim: 96, types: ['f32', 'int8'], ...sizes(8, 8, 1, 1) },
  { ...ONE_ROW, headDim: 80, types: ['int4', 'bf16'], ...sizes(8, 4, 1, 1) },
  { ...ONE_ROW, types: ['int8', 'int4'], ...sizes(8, 8, 1, 1) },
  { ...ONE_ROW, headDim: 128, types: ['int8', 'f16'], ...sizes(8, 8, 1, 1) },
  { ...ONE_ROW, headDim: 192, types: f16, ...sizes(8, 8, 1, 1) },
  { ...ONE_ROW, headDim: 256, types: ['f16', 'bf16'], ...sizes(8, 8, 1, 1) },
  // Rows of fewer words than lanes, that end within one, and of V longer or shorter than those of K.
  { ...ONE_ROW, headDim: 24, vHeadDim: 8, types: ['int8', 'int4'], ...sizes(8, 4, 2, 1) },
  { ...ONE_ROW, headDim: 8, vHeadDim: 72, types: ['f32', 'int8'], ...sizes(8, 8, 1, 1) },
  { ...ONE_ROW, headDim: 8, types: ['int8', 'int8'], ...sizes(8, 8, 1, 1) },
  shared({
    ...CONTROL,
    groupSize: 3,
    headDim: 72,
    vHeadDim: 40,
    types: ['f16', 'int8'],
    ...sizes(16, 8, 1, 2, 2),
  }),
  // Hidden keys too.
  {
    ...CONTROL,
    groupSize: 1,
    qLen: 5,
    headDim: 24,
    vHeadDim: 40,
    types: ['int8', 'f16'],
    ...sizes(16, 4, 2, 2, 2),
  },
  // More rows than lanes: an invocation finishes the scores of two rows, and of two keys of each.
  { ...CONTROL, groupSize: 9, types: f16, ...sizes(8, 8, 2, 9) },
  // A last pass of the merge with a row that the team does not have, and the next team does.
  { ...CONTROL, groupSize: 6, types: f16, ...sizes(32, 8, 1, 3, 2) },
  // Fewer scores than lanes: two invocations hold the same, or all of a team do.
  { ...CONTROL, groupSize: 2, ...sizes(16, 8, 2, 2) },
  { ...CONTROL, groupSize: 2, ...sizes(32, 8, 1, 1, 2) },
  // More keys to a round than lanes.
  { ...ONE_ROW, types: f16, ...sizes(8, 4, 8, 1) },
  // A workgroup smaller than a subgroup, and one of very many runs.
  { ...CONTROL, groupSize: 2, ...sizes(4, 4, 2, 2) },
  { ...CONTROL, groupSize: 2, types: f16, ...sizes(4, 4, 1, 1) },
  { ...ONE_ROW, types: f16, ...sizes(256, 8, 1, 1) },
  // Query positions: teams that begin and end within a head's positions; several blocks of rows to a KV head.
  { ...CONTROL, groupSize: 3, qLen: 5, types: f16, ...sizes(32, 8, 1, 4, 2) },
  { ...CONTROL, groupSize: 1, qLen: 5, types: f16, causal: false, ...sizes(8, 4, 1, 3) },
  // q in workgroup memory: of one block and of two, of several words to a lane, which are then loaded as they are used.
  shared({ ...ONE_ROW, types: ['int8', 'int4'], ...sizes(16, 8, 2, 1) }),
  shared({ ...ONE_ROW, headDim: 112, types: f16, ...sizes(16, 4, 2, 1) }),
  shared({ ...CONTROL, groupSize: 3, qLen: 5, types: ['int4', 'int8'], ...sizes(32, 8, 2, 2, 2) }),
  // A CPU's code.
  cpu({ ...CONTROL, types: ['int8', 'int4'] }),
  cpu(shared({ ...CONTROL, groupSize: 3, qLen: 5, types: ['int4', 'int8'], ...sizes(32, 8, 2, 2, 2) })),
  // Hidden keys in int8 and int4, whose zeros and scales may not reach a row either.
  INT8_POSITIONS,
  { ...CONTROL, groupSize: 1, qLen: 5, types: ['int4', 'int4'], ...sizes(16, 4, 4, 1, 2) },
];

const SEVERAL_POSITIONS = CASES.filter((c): c is Case & { qLen: number } => {
  return c.qLen !== undefined && c.causal !== false;
});

/** V of int8 with the sign of every scale turned round. */
function withOppositeScales({ vStored, headDim, batch, numKvHeads, capacity }: StoredProblem) {
  const stored = vStored.slice();
  const start = scalesStart({ type: 'int8', headDim, heads: batch * numKvHeads, capacity }) * WORD_BYTES;
  for (let at = start + 1; at < stored.length; at += 2) stored[at]! ^= 0x80;
  return stored;
}

describe.runIf(subgroups)('decode_registers', () => {
  describe('in sizes that are chosen', () => {
    test.each(named(CHOSEN))('%s', async (_, c) => run(c));

    test('several runs and several blocks are among them, and both at once; rows that are no power of two', () => {
      const variants = CHOSEN.map(({ variant }) => variant);
      expect(variants.some((v) => runsOf(v) > 1 && v.blocks > 1)).toBe(true);
      expect(new Set(variants.map(({ blocks }) => blocks))).toEqual(new Set([1, 2, 4, 8, 16, 32]));
      expect(variants.some(({ teamRows }) => Math.log2(teamRows) % 1 !== 0)).toBe(true);
    });
  });

  describe('in odd sizes', () => {
    test.each(named(CASES))('%s', async (_, c) => run(c));
  });

  describe('NaN in a key reaches no row that does not see it', () => {
    test.each(named(SEVERAL_POSITIONS))('%s', async (_, c) => checkHidden(device, c, fusedOf(c)));
  });

  test('scales below zero are scales, not the mark of a hidden key', async () => {
    const right = problemOf(INT8_POSITIONS, [23, 4, 40]);
    const opposite = { ...right, v: right.v.map((x) => -x), vStored: withOppositeScales(right) };
    await check(device, opposite, itemsOf(right.kvLens, 26), fusedOf(INT8_POSITIONS)(opposite));
  });

  describeRunTimeNumbers('decode_registers', device, CONTROL, fusedOf(CONTROL));
});

describe.runIf(!subgroups)('decode_registers on a device without subgroups', () => {
  test('does not compile', async () => {
    const problem = problemOf(CONTROL, [1]);
    const kernel = decodeRegistersKernel(shapeOf(problem), problem, CONTROL.variant, F32_ROWS);
    await expect(device.pipelines.get(kernel)).rejects.toThrow(ShaderError);
  });
});

// decodeSplit.test.ts: decode_split against its twin: both reductions and outputs, all element types, odd sizes.
import { describe, expect, test } from 'vitest';
import { randomProblem, type StoredProblem } from '../../bench/problem.ts';
import { ShaderError } from '../../src/device/errors.ts';
import {
  chooseSplitVariant,
  decodeSplit as decodeSplitKernel,
  type Reduce,
  type SplitVariant,
} from '../../src/kernels/decodeSplit.ts';
import type { KvType } from '../../src/kernels/elements.ts';
import { checkShape } from '../../src/kernels/shape.ts';
import { attention } from '../reference/attention.ts';
import { decodeMerge } from '../reference/decodeMerge.ts';
import { decodeSplit, type Splits } from '../reference/decodeSplit.ts';
import { testDevice } from '../support/device.ts';
import { GPU_FACTS, SOFTWARE_FACTS } from '../support/deviceFacts.ts';
import { expectWithinRule, withoutFloor } from '../support/errorRule.ts';
import { runSplit, runWhole } from '../support/runDecode.ts';

const device = await testDevice();

/** One linked shader. Lengths, batch and KV heads are run-time numbers and vary within a case at no cost. */
interface Case {
  readonly groupSize: number;
  readonly headDim: number;
  readonly qLen?: number;
  readonly causal?: boolean;
  readonly types: readonly [KvType, KvType];
  /** The sizes chosen for such a device, or sizes of the test's own. */
  readonly sizes: 'software' | 'gpu' | Omit<SplitVariant, 'reduce'>;
  readonly reduce: Reduce;
  readonly output: 'partial' | 'final';
}

const NUM_KV_HEADS = 2;

const CONTROL: Case = {
  groupSize: 4,
  headDim: 64,
  types: ['f32', 'f32'],
  sizes: 'software',
  reduce: 'workgroup',
  output: 'partial',
};

const f16 = ['f16', 'f16'] as const;
const final = { output: 'final' } as const;
const subgroup = { reduce: 'subgroup' } as const;
const gpu = { sizes: 'gpu' } as const;

const CASES: readonly Case[] = [
  CONTROL,
  { ...CONTROL, ...final },
  { ...CONTROL, ...subgroup, types: ['f32', 'f16'] },
  { ...CONTROL, ...subgroup, ...final, types: f16 },
  // Head dims. One row keeps a shader small, but lavapipe takes 30 s for some combinations of few rows and head dim.
  { ...CONTROL, headDim: 80, groupSize: 1, types: f16 },
  { ...CONTROL, headDim: 96, groupSize: 3, ...final },
  { ...CONTROL, headDim: 112, groupSize: 1, ...subgroup },
  { ...CONTROL, headDim: 128, groupSize: 1, ...subgroup, ...final, types: f16 },
  { ...CONTROL, headDim: 192, groupSize: 1, ...final, types: ['f32', 'f16'] },
  { ...CONTROL, headDim: 256, groupSize: 1, types: f16 },
  // Sizes for GPUs: invocations left over when 64 is no multiple of D / 4; two to sixteen sets share keys and rows.
  { ...CONTROL, ...gpu, headDim: 80, types: f16 },
  { ...CONTROL, ...gpu, headDim: 96, ...subgroup, ...final },
  { ...CONTROL, ...gpu, headDim: 112, groupSize: 3 },
  { ...CONTROL, ...gpu, headDim: 128, groupSize: 3, ...subgroup, types: f16 },
  { ...CONTROL, ...gpu, headDim: 192, groupSize: 2, ...subgroup, ...final, types: ['f16', 'f32'] },
  { ...CONTROL, ...gpu, headDim: 256, groupSize: 1, ...final },
  { ...CONTROL, ...gpu, headDim: 64, groupSize: 32, types: f16 },
  { ...CONTROL, ...gpu, headDim: 64, groupSize: 71, ...final },
  // Several row blocks to a KV head: 18 blocks of 4 rows, the last of 3.
  { ...CONTROL, headDim: 64, groupSize: 71, types: f16, sizes: { wgSize: 16, tile: 32, rowBlock: 4 } },
  // Query positions: blocks that begin and end within a head's positions.
  { ...CONTROL, groupSize: 3, qLen: 5, sizes: { wgSize: 16, tile: 32, rowBlock: 4 } },
  {
    ...CONTROL,
    groupSize: 1,
    qLen: 5,
    causal: false,
    ...final,
    sizes: { wgSize: 16, tile: 16, rowBlock: 5 },
  },
  { ...CONTROL, groupSize: 1, qLen: 5, ...subgroup, ...final, sizes: { wgSize: 16, tile: 16, rowBlock: 5 } },
  // Fewer keys in a tile than invocations: four parts score seven rows, two each; the second block has one row.
  { ...CONTROL, groupSize: 8, headDim: 128, sizes: { wgSize: 64, tile: 16, rowBlock: 7 } },
  // Four keys to an invocation; the last block of three rows is not full.
  { ...CONTROL, sizes: { wgSize: 16, tile: 64, rowBlock: 3 }, ...subgroup },
  // Five sets: two share the rows, two the keys, one is left over.
  { ...CONTROL, groupSize: 12, sizes: { wgSize: 80, tile: 40, rowBlock: 12 }, ...final },
  // One set has to mix more rows than it should.
  { ...CONTROL, groupSize: 9, sizes: { wgSize: 16, tile: 32, rowBlock: 9 } },
];

function variantOf({ sizes, reduce }: Case, problem: StoredProblem): SplitVariant {
  if (typeof sizes === 'object') return { reduce, ...sizes };
  return chooseSplitVariant(checkShape(problem), sizes === 'gpu' ? GPU_FACTS : SOFTWARE_FACTS, reduce);
}

/** A batch of sequences, one of each length. */
function problemOf(c: Case, kvLens: readonly number[], seed = 1): StoredProblem {
  return randomProblem({
    batch: kvLens.length,
    numQHeads: c.groupSize * NUM_KV_HEADS,
    numKvHeads: NUM_KV_HEADS,
    headDim: c.headDim,
    qLen: c.qLen ?? 1,
    causal: c.causal ?? true,
    kvLens,
    capacity: Math.max(...kvLens) + 3,
    kType: c.types[0],
    vType: c.types[1],
    seed,
  });
}

/** Splits of two tiles each, and every length where something could be one off. */
function lengthsOf({ groupSize, qLen = 1 }: Case, tile: number): number[] {
  const split = 2 * tile;
  const few = [0, 1, tile + 1, split, 2 * split + 3];
  if (groupSize > 12) return few;
  const around = [tile - 1, tile, split - 1, split + 1, 2 * split - 1, 2 * split, 2 * split + 1, 3 * split];
  return [...few, ...around, ...(qLen > 1 ? [2, 3, 4, 5, 6, tile + 2, split + 3] : [])];
}

function titleOf(c: Case): string {
  const { wgSize, tile, rowBlock } = variantOf(c, problemOf(c, [1]));
  const shape = `g${c.groupSize} d${c.headDim} q${c.qLen ?? 1}${c.causal === false ? ' not causal' : ''}`;
  return `${shape} ${c.types.join('/')} ${c.reduce} ${c.output} wg${wgSize} tile${tile} block${rowBlock}`;
}

async function expectStates(problem: StoredProblem, variant: SplitVariant, splits: Splits): Promise<void> {
  const states = await runSplit(device, problem, variant, splits);
  const truth = decodeSplit(problem, splits);
  const naive = decodeSplit(problem, splits, Math.fround);
  for (const part of ['m', 'l', 'o'] as const) expectWithinRule(part, states[part], truth[part], naive[part]);
  expectOutput(problem, decodeMerge(states));
}

function expectOutput(
  problem: StoredProblem,
  { o, lse }: { o: ArrayLike<number>; lse: ArrayLike<number> },
): void {
  const truth = attention(problem);
  const naive = attention(problem, Math.fround);
  expectWithinRule('o', o, truth.o, naive.o);
  expectWithinRule('lse', lse, truth.lse, naive.lse);
}

async function check(c: Case): Promise<void> {
  const { tile } = variantOf(c, problemOf(c, [1]));
  const problem = problemOf(c, lengthsOf(c, tile));
  const variant = variantOf(c, problem);
  if (variant.reduce === 'subgroup' && !device.facts.subgroups) {
    const kernel = decodeSplitKernel(checkShape(problem), problem, variant, c.output);
    await expect(device.pipelines.get(kernel)).rejects.toThrow(ShaderError);
    return;
  }
  if (c.output === 'partial') {
    await expectStates(problem, variant, { numSplits: 3, splitLen: 2 * tile });
  } else {
    const { o, lse } = await runWhole(device, problem, variant);
    expectOutput(problem, { o, lse: withoutFloor(lse) });
  }
}

describe('decode_split', () => {
  test.each(CASES.map((c) => [titleOf(c), c] as const))('%s', (_, c) => check(c));
});

describe('decode_split at run-time numbers', () => {
  const variant = variantOf(CONTROL, problemOf(CONTROL, [1]));

  test.each([1, 2, 5, 7])('any number of splits gives the same result: %i', async (numSplits) => {
    const problem = problemOf(CONTROL, [190, 1, 97], 7);
    const splitLen = Math.ceil(190 / numSplits / variant.tile) * variant.tile;
    await expectStates(problem, variant, { numSplits, splitLen });
  });

  test('a split need not be whole tiles long', async () => {
    await expectStates(problemOf(CONTROL, [190, 37, 38], 8), variant, { numSplits: 6, splitLen: 37 });
  });

  test('splits past every length leave neutral states', async () => {
    const problem = problemOf(CONTROL, [5, 0], 9);
    const states = await runSplit(device, problem, variant, { numSplits: 3, splitLen: 32 });
    const neutral = decodeSplit(problem, { numSplits: 3, splitLen: 32 });
    for (let at = 0; at < states.l.length; at++) {
      if (neutral.l[at] !== 0) continue;
      expect([states.m[at], states.l[at]]).toEqual([neutral.m[at], 0]);
      expect(states.o.slice(at * 64, at * 64 + 64).every((x) => x === 0)).toBe(true);
    }
    expect(neutral.l.filter((l) => l === 0)).toHaveLength(8 * 2 + 8 * 3);
  });

  test('scores far from zero: the running maximum falls and rises from tile to tile', async () => {
    const problem = problemOf(CONTROL, [200, 161], 10);
    problem.q.forEach((x, i) => (problem.q[i] = x * 40));
    await expectStates(problem, variant, { numSplits: 2, splitLen: 128 });
  });

  test('many KV heads and sequences: each reads its own part of the cache', async () => {
    const problem = randomProblem({
      batch: 5,
      numQHeads: 28,
      numKvHeads: 7,
      headDim: 64,
      kvLens: [3, 40, 0, 33, 12],
      seed: 11,
    });
    await expectStates(problem, variant, { numSplits: 2, splitLen: 32 });
  });

  test('running twice gives the same bits', async () => {
    const problem = problemOf(CONTROL, [190, 64], 12);
    const splits = { numSplits: 3, splitLen: 64 };
    const first = await runSplit(device, problem, variant, splits);
    expect(await runSplit(device, problem, variant, splits)).toEqual(first);
  });
});

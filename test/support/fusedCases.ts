// fusedCases.ts: what the tests of both templates of the fused kernel have in common: problems, lengths, and the check.
import { randomProblem, type StoredProblem } from '../../src/reference/problem.ts';
import type { GqaDevice } from '../../src/device/gqaDevice.ts';
import type { KvType } from '../../src/numbers/elements.ts';
import type { Kernel } from '../../src/kernels/kernel.ts';
import type { Round } from '../../src/reference/attention.ts';
import type { FusedResult, Item } from '../reference/decodeTiles.ts';
import { expectAttention, expectFused, itemsOf, runFused } from './runDecode.ts';

/** What is compiled into a shader, sizes aside. Lengths, batch and KV heads are run-time numbers and vary at no cost. */
export interface Given {
  readonly groupSize: number;
  readonly headDim: number;
  readonly vHeadDim?: number;
  readonly qLen?: number;
  readonly causal?: boolean;
  readonly types: readonly [k: KvType, v: KvType];
}

/** A linked kernel with its twin. */
export interface Fused {
  readonly kernel: Kernel;
  /** Of one item. */
  readonly workgroups: number;
  readonly twin: (problem: StoredProblem, items: readonly Item[], round?: Round) => FusedResult;
}

/** One random sequence of each length. Slots past a length hold NaN, in the scales too. */
export function problemOf(given: Given, kvLens: readonly number[], seed = 1): StoredProblem {
  const { groupSize, headDim, vHeadDim = headDim, qLen = 1, causal = true, types } = given;
  const numKvHeads = groupSize > 12 ? 1 : 2; // the reference takes long for many
  return randomProblem({
    batch: kvLens.length,
    numQHeads: groupSize * numKvHeads,
    numKvHeads,
    headDim,
    vHeadDim,
    qLen,
    causal,
    kvLens,
    capacity: Math.max(...kvLens) + 3,
    kType: types[0],
    vType: types[1],
    seed,
  });
}

/** Every length where something could be one off, for a kernel that takes `step` keys at a time and splits of two steps. */
export function borderLengths({ groupSize, qLen = 1 }: Given, step: number): number[] {
  const split = 2 * step;
  const few = [0, 1, step + 1, split, 2 * split + 3];
  if (groupSize > 12) return few;
  const around = [step - 1, step, split - 1, split + 1, 2 * split - 1, 2 * split, 2 * split + 1, 3 * split];
  const positions = qLen > 1 ? [2, 3, 4, 5, 6, step + 2, split + 3] : [];
  return [...new Set([...few, ...around, ...positions])];
}

/** Runs all border lengths at once, in splits of two steps. */
export async function checkBorders(
  device: GqaDevice,
  given: Given,
  step: number,
  fusedOf: (problem: StoredProblem) => Fused,
): Promise<void> {
  const problem = problemOf(given, borderLengths(given, step));
  await check(device, problem, itemsOf(problem.kvLens, 2 * step), fusedOf(problem));
}

/** Fails unless the kernel writes what its twin says, nothing else, and all of it makes attention over all keys. */
export async function check(
  device: GqaDevice,
  problem: StoredProblem,
  items: readonly Item[],
  { kernel, workgroups, twin }: Fused,
): Promise<void> {
  const got = await runFused(device, problem, { kernel, workgroups, items });
  expectFused(got, twin(problem, items), twin(problem, items, Math.fround));
  expectAttention(problem, items, got);
}

/** A case in a few words. */
export function givenName(given: Given): string {
  const { groupSize, headDim, vHeadDim, qLen = 1, causal = true } = given;
  const [k, v] = given.types;
  const dims = vHeadDim === undefined ? headDim : `${headDim}/${vHeadDim}`;
  const positions = qLen > 1 ? ` q${qLen}` : '';
  return `g${groupSize} d${dims}${positions}${causal ? '' : ' not causal'} ${k === v ? k : `${k}/${v}`}`;
}

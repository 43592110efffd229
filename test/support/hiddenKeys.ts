// hiddenKeys.ts: a step of several positions whose last key holds NaN: only the last position sees it.
import { expect } from 'vitest';
import { storeProblem, type StoredProblem } from '../../src/reference/problem.ts';
import type { GqaDevice } from '../../src/device/gqaDevice.ts';
import { BAD_SCORE, type FusedResult, type Item } from '../reference/decodeTiles.ts';
import { type Fused, type Given, problemOf } from './fusedCases.ts';
import { expectFused, itemsOf, runFused } from './runDecode.ts';

/**
 * Fails unless NaN in the last key, in V alone or in K too, takes the results of all rows of the last position, and leaves all
 * others theirs. Whole sequences and splits, one of a hidden key alone; a sequence shorter than the step.
 */
export async function checkHidden(
  device: GqaDevice,
  given: Given & { readonly qLen: number },
  fusedOf: (problem: StoredProblem) => Fused,
): Promise<void> {
  const right = problemOf(given, [40, given.qLen - 1, 23, given.qLen, 27], 17);
  const items = itemsOf(right.kvLens, 26);
  const { kernel, workgroups, twin } = fusedOf(right);
  const [truth, naive] = [twin(right, items), twin(right, items, Math.fround)];
  for (const tensors of [['v'], ['k', 'v']] as const) {
    const problem = withoutLastKeys(right, tensors);
    const got = await runFused(device, problem, { kernel, workgroups, items });
    for (const item of items.filter(({ b, end }) => end === right.kvLens[b])) {
      for (let row = right.qLen - 1; row < right.numQHeads * right.qLen; row += right.qLen) {
        expectBad(got, right, item, row);
        replaceRow(got, truth, right, item, row);
      }
    }
    expectFused(got, truth, naive);
  }
}

/** The problem with NaN in the last key of every KV head. */
function withoutLastKeys(right: StoredProblem, tensors: readonly ('k' | 'v')[]): StoredProblem {
  const { numKvHeads, capacity, headDim, vHeadDim, kvLens } = right;
  const copies = Object.fromEntries(tensors.map((tensor) => [tensor, right[tensor].slice()]));
  for (const [tensor, values] of Object.entries(copies)) {
    const dim = tensor === 'k' ? headDim : vHeadDim;
    for (let head = 0; head < kvLens.length * numKvHeads; head++) {
      const end = (head * capacity + kvLens[Math.floor(head / numKvHeads)]!) * dim;
      values.fill(NaN, end - dim, end);
    }
  }
  return storeProblem({ ...right, ...copies });
}

function expectBad(
  got: FusedResult,
  { vHeadDim, ...p }: StoredProblem,
  { b, state }: Item,
  row: number,
): void {
  const rows = p.numQHeads * p.qLen;
  const at = (state ?? b) * rows + row;
  const o = (state === undefined ? got.o : got.partialO).slice(at * vHeadDim, (at + 1) * vHeadDim);
  const bad = o.every(Number.isNaN) || (state !== undefined && got.m[at] === BAD_SCORE);
  expect(bad, `row ${row} of sequence ${b} sees NaN`).toBe(true);
}

function replaceRow(
  got: FusedResult,
  truth: FusedResult,
  { vHeadDim, ...p }: StoredProblem,
  { b, state }: Item,
  row: number,
): void {
  const at = (state ?? b) * p.numQHeads * p.qLen + row;
  const parts = state === undefined ? (['o', 'lse'] as const) : (['partialO', 'm', 'l'] as const);
  for (const part of parts) {
    const perRow = part === 'o' || part === 'partialO' ? vHeadDim : 1;
    got[part].set(truth[part].subarray(at * perRow, (at + 1) * perRow), at * perRow);
  }
}

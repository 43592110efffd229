// fusedNumbers.ts: tests of what is a run-time number to a fused kernel: items, lengths, heads, scores. For both templates.
import { describe, expect, test } from 'vitest';
import { randomProblem, type StoredProblem } from '../../src/reference/problem.ts';
import { uniform, shuffled } from '../../src/numbers/random.ts';
import type { GqaDevice } from '../../src/device/gqaDevice.ts';
import { BAD_SCORE, NEG_MAX } from '../reference/decodeTiles.ts';
import { check, type Fused, type Given, problemOf } from './fusedCases.ts';
import { itemsOf, runFused } from './runDecode.ts';

/**
 * Defines the tests for one linked shader: `given` with a head dim of 64. `far` stretches the queries of the test of scores
 * far from zero: as far as the kernel's numbers keep to f32's bound.
 */
export function describeRunTimeNumbers(
  name: string,
  device: GqaDevice,
  given: Given,
  fusedOf: (problem: StoredProblem) => Fused,
  far = 40,
): void {
  describe(`${name} at run-time numbers`, () => {
    test.each([190, 95, 64, 38, 32, 17, 7, 1])(
      'items of any length give the same result: %i',
      async (len) => {
        const problem = problemOf(given, [190, 1, 97], 7);
        await check(device, problem, itemsOf(problem.kvLens, len), fusedOf(problem));
      },
    );

    test('items of unequal lengths, in any order', async () => {
      const problem = problemOf(given, [190, 40, 77], 8);
      const states = shuffled([0, 1, 2, 3, 4, 5], uniform(3));
      const items = [
        { b: 2, begin: 0, end: 1, state: states[0]! },
        { b: 0, begin: 133, end: 190, state: states[1]! },
        { b: 1, begin: 0, end: 40 },
        { b: 0, begin: 0, end: 130, state: states[2]! },
        { b: 2, begin: 65, end: 77, state: states[3]! },
        { b: 0, begin: 130, end: 133, state: states[4]! },
        { b: 2, begin: 1, end: 65, state: states[5]! },
      ];
      await check(device, problem, items, fusedOf(problem));
    });

    test('an item without keys leaves a neutral state; so does every item of an empty sequence', async () => {
      const problem = problemOf(given, [0, 5, 0], 9);
      const items = [...itemsOf(problem.kvLens, 64, true), { b: 1, begin: 5, end: 5, state: 3 }];
      const fused = fusedOf(problem);
      await check(device, problem, items, fused);
      const { m, l, partialO } = await runFused(device, problem, { ...fused, items });
      const rows = problem.numQHeads;
      for (const state of [0, 2, 3]) {
        const at = state * rows;
        expect(Array.from(m).slice(at, at + rows)).toEqual(Array.from({ length: rows }, () => NEG_MAX));
        expect(Array.from(l).slice(at, at + rows)).toEqual(Array.from({ length: rows }, () => 0));
        expect(partialO.slice(at * 64, (at + rows) * 64).every((x) => x === 0)).toBe(true);
      }
    });

    test('scores far from zero: the running maximum falls and rises from key to key', async () => {
      const problem = problemOf(given, [200, 161], 10);
      problem.q.forEach((x, i) => (problem.q[i] = x * far));
      await check(device, problem, itemsOf(problem.kvLens, 128), fusedOf(problem));
    });

    test('a row whose scores leave f32 has no result, its neighbours theirs', async () => {
      const problem = { ...problemOf(given, [70, 33], 15), smScale: 4 };
      const rows = problem.q.length / 64;
      const bad = Array.from({ length: rows }, (_, row) => row % 3 === 1);
      const sizes = [3e38, -3e38, NaN, Infinity];
      bad.forEach((is, row) => is && problem.q.fill(sizes[row % 4]!, row * 64, (row + 1) * 64));
      const fused = fusedOf(problem);
      const items = itemsOf(problem.kvLens, 40);
      await check(device, problem, items, fused);
      const { o, m } = await runFused(device, problem, { ...fused, items });
      const whole = rows / 2; // of sequence 1
      const ofRow = (row: number) => o.slice(row * 64, (row + 1) * 64);
      for (let row = whole; row < rows; row++) {
        expect(ofRow(row).every((x) => Number.isNaN(x) === bad[row])).toBe(true);
      }
      for (const [at, x] of m.entries()) expect(x === BAD_SCORE).toBe(bad[at % whole]);
    });

    test('each row has a maximum of its own, whatever its neighbours have', async () => {
      const problem = problemOf(given, [70, 33], 14);
      problem.q.forEach((x, i) => (problem.q[i] = x * 10 ** ((Math.floor(i / 64) % 3) - 1)));
      await check(device, problem, itemsOf(problem.kvLens, 40), fusedOf(problem));
    });

    test('many KV heads and sequences: each reads its own part of the cache', async () => {
      const problem = randomProblem({
        batch: 5,
        numQHeads: 7 * given.groupSize,
        numKvHeads: 7,
        headDim: 64,
        kvLens: [3, 40, 0, 33, 12],
        capacity: 41,
        kType: given.types[0],
        vType: given.types[1],
        seed: 11,
      });
      await check(device, problem, itemsOf(problem.kvLens, 32), fusedOf(problem));
    });

    test('a scale of 0 weighs all keys alike, a negative one turns their order round', async () => {
      for (const smScale of [0, -0.5]) {
        const problem = { ...problemOf(given, [70], 13), smScale };
        await check(device, problem, itemsOf(problem.kvLens, 40), fusedOf(problem));
      }
    });

    test('running twice gives the same bits', async () => {
      const problem = problemOf(given, [190, 64], 12);
      const run = { ...fusedOf(problem), items: itemsOf(problem.kvLens, 64) };
      const first = await runFused(device, problem, run);
      expect(await runFused(device, problem, run)).toEqual(first);
    });
  });
}

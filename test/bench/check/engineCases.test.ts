// engineCases.test.ts: the cases of rows and tokens in other places pass by the plain kernel, and find what lies elsewhere.
import { expect, test } from 'vitest';
import { CHECK_CASES, SOFTWARE_CASES } from '../../../bench/check/cases.ts';
import type { CheckRow } from '../../../bench/check/check.ts';
import { runChecks } from '../../../bench/check/check.ts';
import { ENGINE_CASES, ENGINE_SOFTWARE_CASES } from '../../../bench/check/engineCases.ts';
import { runProblem } from '../../../bench/check/runProblem.ts';
import { randomProblem } from '../../../src/reference/problem.ts';
import { testDevice } from '../../support/device.ts';

const device = await testDevice();
const placed = ENGINE_CASES.filter(({ places }) => places);

async function rowsOf(run: typeof runProblem): Promise<CheckRow[]> {
  const rows: CheckRow[] = [];
  for await (const row of runChecks(device, { cases: placed, kernels: ['plain'], run })) rows.push(row);
  return rows;
}

test('each is a problem that can be set', () => {
  for (const { problem } of ENGINE_CASES) expect(randomProblem(problem).batch).toBe(4);
});

test('each passes', async () => {
  const rows = await rowsOf(runProblem);
  expect(rows.filter(({ verdict }) => !verdict?.pass)).toEqual([]);
  expect(rows).toHaveLength(9);
});

test('a step whose sequences have their positions the other way round passes none', async () => {
  const rows = await rowsOf((on, problem, options) =>
    runProblem(on, { ...problem, qLens: problem.qLens!.toReversed() }, options),
  );
  expect(rows.filter(({ verdict }) => verdict?.pass)).toEqual([]);
});

test('features alone, by pairs and together; software adapters get all of them together', () => {
  const sets = (cases: typeof ENGINE_CASES) =>
    cases.map(({ problem }) => Object.keys(problem.features ?? {}).length);
  // Sink tokens come with a window, and so as two.
  const counts = [0, 1, 2, 3, 4, 6].map(
    (count) => sets(ENGINE_CASES).filter((size) => size === count).length,
  );
  expect(counts).toEqual([9, 7, 18, 5, 2, 2]);
  const tried = ENGINE_SOFTWARE_CASES.flatMap(({ problem }) => Object.keys(problem.features ?? {}));
  expect(new Set(tried).size).toBe(8);
  expect(CHECK_CASES).toEqual(expect.arrayContaining([...ENGINE_CASES]));
  expect(SOFTWARE_CASES).toEqual(expect.arrayContaining([...ENGINE_SOFTWARE_CASES]));
});

// compare.test.ts: rows joined, changes and verdicts worked by hand, and what a comparison can be held to.
import { describe, expect, test } from 'vitest';
import {
  compareResults,
  failures,
  openRows,
  stateOf,
  verdictOf,
  type Comparison,
} from '../../../bench/report/compare.ts';
import { rowId } from '../../../bench/run/rows.ts';
import type { BenchContext, BenchRow } from '../../../bench/schema/schema.ts';
import { SUITE } from '../../../bench/schema/version.ts';
import { NO_TIME, NOT_RUN, noisy, result, row, steady, WRONG } from '../../support/benchResult.ts';

function compared(
  a: readonly BenchRow[],
  b: readonly BenchRow[],
  more: { margin?: number; a?: Partial<BenchContext>; b?: Partial<BenchContext> } = {},
): Comparison {
  const { margin = 0.02 } = more;
  return compareResults(
    { name: 'a.json', result: result(a, more.a) },
    { name: 'b.json', result: result(b, more.b) },
    margin,
  );
}

/** The verdict on one row whose samples are these. */
function verdict(a: readonly number[], b: readonly number[], margin?: number) {
  const { rows } = compared([row(8, 1024, a)], [row(8, 1024, b)], margin === undefined ? {} : { margin });
  return rows[0]!.change!.verdict;
}

describe('verdictOf', () => {
  test.each([
    [-0.004, 0.02, 'equivalent'],
    [-0.02, 0.02, 'equivalent'],
    // Surely slower, surely by less than matters.
    [0.001, 0.019, 'equivalent'],
    [0.026, 0.041, 'slower'],
    [0.001, 0.021, 'slower'],
    [-0.041, -0.026, 'faster'],
    [-0.03, 0.189, 'inconclusive'],
    [-0.021, 0, 'inconclusive'],
    [0, 0.021, 'inconclusive'],
  ] as const)('[%d, %d] within 2 %% is %s', (low, high, expected) => {
    expect(verdictOf([low, high], 0.02)).toBe(expected);
  });

  test('a margin of nothing leaves only what is exactly equal equivalent', () => {
    expect(verdictOf([0, 0], 0)).toBe('equivalent');
    expect(verdictOf([0.001, 0.002], 0)).toBe('slower');
  });
});

describe('a row in both results', () => {
  test('has the change of the median and its interval', () => {
    const { rows } = compared([row(8, 1024, steady(200))], [row(8, 1024, steady(250))]);
    expect(rows[0]!.change).toEqual({ change: 0.25, interval: [0.25, 0.25], verdict: 'slower' });
  });

  test('is judged by the interval and the margin', () => {
    expect(verdict(steady(100), steady(101))).toBe('equivalent');
    expect(verdict(steady(100), steady(101), 0.005)).toBe('slower');
    expect(verdict(steady(100), steady(90))).toBe('faster');
    expect(verdict(noisy(100), noisy(101))).toBe('inconclusive');
    expect(verdict(noisy(100), noisy(150))).toBe('slower');
    expect(verdict(noisy(100), noisy(150), 0.9)).toBe('equivalent');
  });

  test('of fewer than six samples is inconclusive, however far apart they are', () => {
    expect(verdict(steady(100, 5), steady(900))).toBe('inconclusive');
    expect(verdict(steady(100), [900])).toBe('inconclusive');
    expect(verdict(steady(100, 6), steady(900, 6))).toBe('slower');
  });

  test('that did not settle in either result is inconclusive, however far apart the times are', () => {
    const busy = { warnings: ['noisy'] } as const;
    const at = (ns: number, more: Partial<BenchRow> = {}) => [row(8, 1024, steady(ns), more)];
    for (const [a, b, where] of [
      [at(100, busy), at(154), 'A'],
      [at(100), at(154, busy), 'B'],
      [at(100, busy), at(154, busy), 'A and B'],
    ] as const) {
      const comparison = compared(a, b);
      expect(comparison.rows[0]!.change).toMatchObject({
        verdict: 'inconclusive',
        why: `did not settle in ${where}`,
      });
      expect(failures(comparison, 'regression')).toEqual([]);
      expect(failures(comparison, 'any')).toHaveLength(1);
      expect(openRows(comparison)).toEqual({ open: 1, all: 1 });
    }
  });

  test('is not slower by less than what the clocks may be off', () => {
    const at = (ns: number, clockNs: number) => [row(8, 1024, steady(ns), { clockNs })];
    const change = compared(at(100, 2), at(104, 3.12)).rows[0]!.change!;
    expect(change.interval![0]).toBeCloseTo(1.04 * 0.95 - 1, 12);
    expect(change.interval![1]).toBeCloseTo(1.04 * 1.05 - 1, 12);
    expect(change.verdict).toBe('inconclusive');
    expect(compared(at(100, 0.1), at(104, 0.1)).rows[0]!.change!.verdict).toBe('slower');
  });

  test('whose clock could tell no time is no regression', () => {
    const comparison = compared([row(8, 1024, steady(100))], [row(8, 1024, [1], NO_TIME)]);
    expect(failures(comparison, 'regression')).toEqual([]);
    expect(failures(comparison, 'any')).toEqual(['h32_kv8_d128_t1024_f16 no time']);
    expect(openRows(comparison)).toEqual({ open: 1, all: 1 });
  });

  test('takes the median from the samples, not from the file', () => {
    const lying = row(8, 1024, steady(200));
    const { rows } = compared(
      [{ ...lying, time: { ...lying.time!, median: 1 } }],
      [row(8, 1024, steady(200))],
    );
    expect(rows[0]!.change!.change).toBe(0);
  });

  test('has no change where either has no time', () => {
    const good = row(8, 1024, steady(200));
    for (const bad of [row(8, 1024, [1], WRONG), row(8, 1024, [1], NOT_RUN)]) {
      expect(compared([good], [bad]).rows[0]!.change).toBeUndefined();
      expect(compared([bad], [good]).rows[0]!.change).toBeUndefined();
    }
  });
});

test('what came of a row', () => {
  const good = row(8, 1024, steady(200));
  const fail = { ...good.check!, pass: false };
  expect(stateOf(good)).toBe('timed');
  expect(stateOf({ ...good, check: null })).toBe('timed');
  expect(stateOf(row(8, 1024, [1], WRONG))).toBe('wrong');
  expect(stateOf({ ...good, check: fail })).toBe('wrong');
  expect(stateOf({ ...good, checkAfter: fail })).toBe('wrong');
  expect(stateOf(row(8, 1024, [1], NOT_RUN))).toBe('not run');
  expect(stateOf(row(8, 1024, [1], NO_TIME))).toBe('no time');
});

describe('joining', () => {
  test('a step with an append, of several positions or with a tree is another row than the one without', () => {
    const named = (more: Partial<BenchRow['params']>) => {
      const plain = row(8, 1024, steady(10));
      const params = { ...plain.params, ...more };
      return { ...plain, params, id: rowId(params) };
    };
    const steps = [
      {},
      { append: true },
      { append: true, features: ['rope'] },
      { positions: 4 },
      { positions: 4, features: ['tree'] },
    ] as const;
    const { rows } = compared(steps.map(named), steps.map(named).toReversed());
    expect(rows.map(({ a, b }) => [a.params, b.params])).toEqual(
      steps.map(named).map(({ params }) => [params, params]),
    );
  });

  const [mha, gqa, mqa] = [32, 8, 1].map((kvHeads) => row(kvHeads, 1024, steady(100 * kvHeads))) as [
    BenchRow,
    BenchRow,
    BenchRow,
  ];

  test('is by id, in the order of A, and keeps what only one has', () => {
    const { rows, onlyInA, onlyInB } = compared([mha, gqa], [mqa, gqa]);
    expect(rows.map(({ id }) => id)).toEqual([gqa.id]);
    expect([onlyInA, onlyInB]).toEqual([[mha], [mqa]]);
    expect(compared([mha, gqa, mqa], [mqa, mha, gqa]).rows.map(({ a }) => a)).toEqual([mha, gqa, mqa]);
  });

  test('refuses a result that has a row twice', () => {
    expect(() => compared([mha], [gqa, gqa])).toThrow(`b.json: expected each row once, got ${gqa.id} twice`);
  });

  test('of nothing in common compares nothing', () => {
    expect(compared([mha], [gqa]).rows).toEqual([]);
    expect(compared([], []).rows).toEqual([]);
  });
});

describe('the device', () => {
  const { adapter } = result([]).context;

  test('is the same when all of its name is', () => {
    expect(compared([], []).sameDevice).toBe(true);
    const driver = { ...adapter, description: 'Acme One 2.0' };
    expect(compared([], [], { b: { adapter: driver } }).sameDevice).toBe(true);
  });

  test('is another with another name or label', () => {
    expect(compared([], [], { b: { adapter: { ...adapter, device: '0x02' } } }).sameDevice).toBe(false);
    expect(compared([], [], { a: { label: 'desk' }, b: { label: 'shelf' } }).sameDevice).toBe(false);
  });

  test('is not known to be the same where the browser masks it', () => {
    const masked = { adapter: { ...adapter, device: '', description: '' } };
    expect(compared([], [], { b: masked }).sameDevice).toBe(false);
    expect(compared([], [], { a: masked, b: masked }).sameDevice).toBe(false);
  });
});

describe('results of different suites', () => {
  const old = { name: 'old.json', result: { ...result([row(8, 1024, steady(200))]), suite: '1' } };
  const fresh = { name: 'new.json', result: result([row(8, 1024, steady(100))]) };
  const comparison = compareResults(old, fresh, 0.02);

  test('have changes and no verdicts', () => {
    expect(comparison.rows[0]!.change).toEqual({ change: -0.5, interval: [-0.5, -0.5] });
    expect(comparison.differs[0]).toEqual({ name: 'suite', a: '1', b: SUITE });
  });

  test('cannot be held to anything', () => {
    expect(() => failures(comparison, 'regression')).toThrow(
      `expected results of one suite, got suites 1 and ${SUITE}`,
    );
  });
});

describe('failures', () => {
  const at = (kvHeads: number, ns: number, more: Partial<BenchRow> = {}) =>
    row(kvHeads, 1024, steady(ns), more);
  const name = (kvHeads: number) => `h32_kv${kvHeads}_d128_t1024_f16`;

  test('a regression is a row that is slower', () => {
    const comparison = compared([at(32, 100), at(8, 100), at(1, 100)], [at(32, 150), at(8, 50), at(1, 101)]);
    expect(failures(comparison, 'regression')).toEqual([`${name(32)} slower`]);
    expect(failures(comparison, 'any')).toEqual([`${name(32)} slower`, `${name(8)} faster`]);
  });

  test('noise is none, but is not shown to be nothing either', () => {
    const comparison = compared([row(8, 1024, noisy(100))], [row(8, 1024, noisy(101))]);
    expect(failures(comparison, 'regression')).toEqual([]);
    expect(failures(comparison, 'any')).toEqual([`${name(8)} inconclusive`]);
  });

  test('a row that lost its time is one, a row that never had one is not', () => {
    const lost = compared([at(32, 100), at(8, 100)], [at(32, 0, WRONG), at(8, 0, NOT_RUN)]);
    expect(failures(lost, 'regression')).toEqual([`${name(32)} wrong`, `${name(8)} not run`]);
    const never = compared([at(32, 0, WRONG), at(8, 0, NOT_RUN)], [at(32, 100), at(8, 0, WRONG)]);
    expect(failures(never, 'regression')).toEqual([]);
    expect(failures(never, 'any')).toEqual([`${name(32)} wrong`, `${name(8)} wrong`]);
  });

  test('a row that is gone is one, a new row is not', () => {
    const comparison = compared([at(32, 100), at(8, 100)], [at(8, 100), at(1, 100)]);
    expect(failures(comparison, 'regression')).toEqual([`${name(32)} only in a.json`]);
    expect(failures(comparison, 'any')).toEqual([`${name(32)} only in a.json`, `${name(1)} only in b.json`]);
    expect(failures(compared([at(32, 0, WRONG)], []), 'regression')).toEqual([]);
  });

  test('a result against itself has none', () => {
    const rows = [at(32, 100), at(8, 50)];
    expect(failures(compared(rows, rows), 'any')).toEqual([]);
  });
});

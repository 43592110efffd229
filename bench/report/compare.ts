// compare.ts: two results row by row: how much faster or slower, whether that can be told, and what else was different.
import { GqaError } from '../../src/index.ts';
import { checkKinds, rowKey, type ComparedResult, type ResultRow } from './compareKinds.ts';
import { contextFacts, rowFacts, type Facts } from './compareFacts.ts';
import { isUntimed, isWrong } from '../run/rowResult.ts';
import { sampleCount, timeRatio } from '../schema/samples.ts';
import { ENOUGH_SAMPLES, median, type Interval } from '../schema/stats.ts';

/** A change of less than this is none, unless another margin is asked for. */
export const STANDARD_MARGIN = 0.02;

/** What can be said of a change from A to B. */
export type Verdict = 'faster' | 'slower' | 'equivalent' | 'inconclusive';

/** A result and what it is called. */
export interface Side {
  readonly name: string;
  readonly result: ComparedResult;
}

/** A row that both results have. Without a change where one of the two has no time. */
export interface ComparedRow {
  readonly id: string;
  readonly a: ResultRow;
  readonly b: ResultRow;
  readonly change?: Change;
}

/** Medians of B's over A's samples, less 1: 0.03 is 3 % slower; the 95 % interval and what the clocks may be off; the verdict. */
export interface Change {
  readonly change: number;
  /** Null where either has too few samples to have one. */
  readonly interval: Interval | null;
  /** Absent when the results are of different suites: their times are not of the same thing. */
  readonly verdict?: Verdict;
  /** Why the verdict is `inconclusive` whatever the interval. */
  readonly why?: string;
}

export interface Comparison extends Facts {
  readonly a: Side;
  readonly b: Side;
  /** A change whose whole interval lies within this much of none, either way, is none. */
  readonly margin: number;
  readonly rows: readonly ComparedRow[];
  readonly onlyInA: readonly ResultRow[];
  readonly onlyInB: readonly ResultRow[];
  readonly sameSuite: boolean;
  /** Whether both adapters are named and have the same name. Browsers mask names, and masked ones tell nothing. */
  readonly sameDevice: boolean;
}

/** Joins two results by their rows' keys. Throws GqaError when a result has a row twice, and for two kinds of results. */
export function compareResults(a: Side, b: Side, margin: number): Comparison {
  checkKinds(a, b);
  const [rowsA, rowsB] = [rowsByKey(a), rowsByKey(b)];
  const sameSuite = a.result.suite === b.result.suite;
  const rows = a.result.results.flatMap((rowA): ComparedRow[] => {
    const rowB = rowsB.get(rowKey(rowA));
    return rowB ? [compareRow(rowA, rowB, sameSuite ? margin : undefined)] : [];
  });
  const [context, ofRows] = [contextFacts(a.result, b.result), rowFacts(rows)];
  return {
    a,
    b,
    margin,
    rows,
    onlyInA: a.result.results.filter((row) => !rowsB.has(rowKey(row))),
    onlyInB: b.result.results.filter((row) => !rowsA.has(rowKey(row))),
    sameSuite,
    sameDevice: deviceName(a) !== undefined && deviceName(a) === deviceName(b),
    differs: [...context.differs, ...ofRows.differs],
    same: [...context.same, ...ofRows.same],
  };
}

function rowsByKey({ name, result }: Side): ReadonlyMap<string, ResultRow> {
  const rows = new Map<string, ResultRow>();
  for (const row of result.results) {
    const key = rowKey(row);
    if (rows.has(key)) throw new GqaError('result', `${name}: expected each row once, got ${row.id} twice`);
    rows.set(key, row);
  }
  return rows;
}

function deviceName({ result }: Side): string | undefined {
  const { vendor, architecture, device } = result.context.adapter;
  return device === '' ? undefined : JSON.stringify([vendor, architecture, device, result.context.label]);
}

function compareRow(a: ResultRow, b: ResultRow, margin: number | undefined): ComparedRow {
  const row = { id: a.id, a, b };
  if (stateOf(a) !== 'timed' || stateOf(b) !== 'timed') return row;
  return { ...row, change: changeOf(a, b, margin) };
}

function changeOf(a: ResultRow, b: ResultRow, margin: number | undefined): Change {
  const [samplesA, samplesB] = [a.time!.samplesNs, b.time!.samplesNs];
  const ratios = timeRatio(a.time!, b.time!);
  const off = clockShare(a) + clockShare(b);
  const interval: Interval | null = ratios && [ratios[0] * (1 - off) - 1, ratios[1] * (1 + off) - 1];
  const change = { change: median(samplesB) / median(samplesA) - 1, interval };
  if (margin === undefined) return change;
  const why = whyInconclusive(a, b);
  if (why !== undefined || interval === null)
    return { ...change, verdict: 'inconclusive', ...(why && { why }) };
  return { ...change, verdict: verdictOf(interval, margin) };
}

/** What a row's clock may be off, which equal samples do not show, as a share of its time. */
function clockShare({ time, clockNs = 0 }: ResultRow): number {
  return clockNs / median(time!.samplesNs);
}

/** What the interval cannot know: times too few to have one, and times that drifted while they were taken. */
function whyInconclusive(a: ResultRow, b: ResultRow): string | undefined {
  const few = [a, b].some(({ time }) => sampleCount(time!) < ENOUGH_SAMPLES);
  if (few) return `fewer than ${ENOUGH_SAMPLES} samples`;
  const [inA, inB] = [a, b].map(({ warnings }) => warnings.includes('noisy'));
  if (!inA && !inB) return undefined;
  return `did not settle in ${inA && inB ? 'A and B' : inA ? 'A' : 'B'}`;
}

/**
 * What an interval of a change says: `equivalent` when all of it lies within the margin, however surely it is not zero;
 * else `faster` or `slower` when all of it lies on one side of zero; else `inconclusive`.
 */
export function verdictOf([low, high]: readonly [number, number], margin: number): Verdict {
  if (low >= -margin && high <= margin) return 'equivalent';
  if (low > 0) return 'slower';
  return high < 0 ? 'faster' : 'inconclusive';
}

/** What came of a row: a time; a wrong result; no time that its clock could tell; or nothing, because it could not run. */
export type RowState = 'timed' | 'wrong' | 'no time' | 'not run';

export function stateOf(row: ResultRow): RowState {
  if (isWrong(row)) return 'wrong';
  if (row.time) return 'timed';
  return isUntimed(row) ? 'no time' : 'not run';
}

/** What a comparison must show to pass: that no row is slower or lost, or that every row is as before. */
export type FailOn = 'regression' | 'any';

/** The rows that break it, with why: `h32_kv8_d128_t4096_f16 slower`. Throws GqaError for results of different suites. */
export function failures(comparison: Comparison, failOn: FailOn): string[] {
  const { a, b, sameSuite, rows, onlyInA, onlyInB } = comparison;
  if (!sameSuite) {
    const suites = `${a.result.suite} and ${b.result.suite}`;
    throw new GqaError('compare', `--fail-on: expected results of one suite, got suites ${suites}`);
  }
  const accepted = failOn === 'any' ? ['equivalent'] : ['equivalent', 'faster', 'inconclusive'];
  const missing =
    failOn === 'any' ? [...onlyInA, ...onlyInB] : onlyInA.filter((row) => stateOf(row) === 'timed');
  return [
    ...rows.flatMap((row) => {
      const outcome = row.change?.verdict ?? lost(row, failOn);
      return outcome === undefined || accepted.includes(outcome) ? [] : [`${row.id} ${outcome}`];
    }),
    ...missing.map((row) => `${row.id} only in ${onlyInA.includes(row) ? a.name : b.name}`),
  ];
}

/** Rows in both results of which nothing can be concluded, and the number of all. */
export function openRows({ rows }: Comparison): { open: number; all: number } {
  const open = rows.filter(
    ({ a, b, change }) =>
      change?.verdict === 'inconclusive' || [a, b].some((row) => stateOf(row) === 'no time'),
  );
  return { open: open.length, all: rows.length };
}

/**
 * Why a row without a change breaks it: under `regression` only one that had a time in A. A clock that cannot tell a time
 * says nothing of the row.
 */
function lost({ a, b }: ComparedRow, failOn: FailOn): string | undefined {
  if (failOn === 'regression' && (stateOf(a) !== 'timed' || stateOf(b) === 'no time')) return undefined;
  return stateOf(b) === 'timed' ? stateOf(a) : stateOf(b);
}

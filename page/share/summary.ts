// summary.ts: a result without its raw samples, with numbers as long as tables need them: what a link carries. No DOM.
import type { BenchResult, BenchRow, RowCheck, RowTime } from '../../bench/schema/schema.ts';
import { ENOUGH_SAMPLES, median } from '../../bench/schema/stats.ts';

const TIME_DIGITS = 5;
const ERROR_DIGITS = 3;

/**
 * The same result without what only its own device needs, its samples as median, interval and number; fewer than six, which
 * have no interval, stay as they are. Times have five digits.
 */
export function summaryOf({ context, results, ...kind }: BenchResult): BenchResult {
  const { subgroupProbes: _, ...adapter } = context.adapter;
  const { samplesNs, ...ceiling } = context.ceiling;
  const { plan64Ns } = context.host;
  return {
    ...kind,
    context: {
      ...context,
      adapter,
      limits: {},
      ceiling: {
        ...ceiling,
        readGBps: digits(ceiling.readGBps, TIME_DIGITS),
        samplesNs: [],
        samples: ceiling.samples ?? Math.max(1, samplesNs.length),
      },
      host: { plan64Ns: plan64Ns === null ? null : digits(plan64Ns, TIME_DIGITS) },
    },
    results: results.map(summaryOfRow),
  };
}

function summaryOfRow(row: BenchRow): BenchRow {
  const { time, check, checkAfter, host } = row;
  return {
    ...row,
    time: time && summaryOfTime(time),
    check: check && summaryOfCheck(check),
    ...(checkAfter && { checkAfter: summaryOfCheck(checkAfter) }),
    ...(host && { host: { planNs: rounded(host.planNs), recordNs: rounded(host.recordNs) } }),
  };
}

function summaryOfTime(time: RowTime): RowTime {
  const { samplesNs, wallNs, ci95 } = time;
  const few = time.samples === undefined && samplesNs.length < ENOUGH_SAMPLES;
  const short = (ns: number) => digits(ns, TIME_DIGITS);
  return {
    ...time,
    samplesNs: few ? samplesNs.map(short) : [short(time.median)],
    wallNs: wallNs.length > 0 ? [short(median(wallNs))] : [],
    firstNs: short(time.firstNs),
    median: short(time.median),
    ci95: ci95 && [short(ci95[0]), short(ci95[1])],
    min: short(time.min),
    ...(!few && { samples: time.samples ?? samplesNs.length }),
  };
}

function summaryOfCheck(check: RowCheck): RowCheck {
  const { maxAbsErr, bound } = check;
  return { ...check, maxAbsErr: digits(maxAbsErr, ERROR_DIGITS), bound: digits(bound, ERROR_DIGITS) };
}

function rounded(ns: number | null): number | null {
  return ns === null ? null : digits(ns, ERROR_DIGITS);
}

/** What is not finite stays so: JSON says null. */
function digits(value: number, count: number): number {
  return Number.isFinite(value) ? Number(value.toPrecision(count)) : value;
}

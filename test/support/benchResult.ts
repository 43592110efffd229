// benchResult.ts: invented results of the benchmark, for tests of what reads them. Every number is round.
import type { BenchContext, BenchResult, BenchRow, RowTime } from '../../bench/schema/schema.ts';
import { SCHEMA, SUITE } from '../../bench/schema/version.ts';
import { median, medianInterval } from '../../bench/schema/stats.ts';

const MIB = 2 ** 20;

/** A timed row of 32 query heads and head dim 128, f16, right and cold. */
export function row(
  kvHeads: number,
  depth: number,
  samplesNs: readonly number[],
  more: Partial<BenchRow> = {},
): BenchRow {
  const kvRead = 2 * kvHeads * depth * 128 * 2;
  return {
    id: `h32_kv${kvHeads}_d128_t${depth}_f16`,
    test: `attn @ d${depth}`,
    variant: kvHeads === 32 ? 'mha' : kvHeads === 1 ? 'mqa' : 'gqa',
    params: {
      model: 'llama-3.1-8b',
      heads: 32,
      kvHeads,
      headDim: 128,
      batch: 1,
      depth,
      capacity: depth,
      kType: 'f16',
      vType: 'f16',
      cache: 'cold',
      kernel: 'auto',
    },
    kernel: 'registers',
    sizes: 'registers wg64',
    tuned: false,
    splits: 4,
    splitLen: depth / 4,
    bytes: { kvRead, partial: 0 },
    cold: true,
    workingSetBytes: 512 * MIB,
    check: { ref: 'cpu-f64', pass: true, maxAbsErr: 3e-7, bound: 1e-6 },
    checkAfter: { ref: 'cpu-f64', pass: true, maxAbsErr: 3e-7, bound: 1e-6 },
    time: rowTime(samplesNs),
    host: { planNs: 2000, recordNs: 5000 },
    warnings: [],
    ...more,
  };
}

function rowTime(samplesNs: readonly number[]): RowTime {
  return {
    stepsPerSample: 10,
    samplesNs,
    wallNs: samplesNs,
    firstNs: 41e6,
    median: median(samplesNs),
    ci95: medianInterval(samplesNs),
    min: Math.min(...samplesNs),
    stop: 'converged',
  };
}

/** What a row lacks whose output was wrong. */
export const WRONG: Partial<BenchRow> = {
  time: null,
  check: { ref: 'cpu-f64', pass: false, maxAbsErr: 1, bound: 1e-6 },
  error: 'wrong result: error 1.00e+0, bound 1.00e-6',
};

/** What a row lacks that could not run. */
export const NOT_RUN: Partial<BenchRow> = { time: null, check: null, error: 'too large' };

/** What a row lacks whose clock could not tell its time. */
export const NO_TIME: Partial<BenchRow> = {
  time: null,
  error: 'below what this clock can tell: it gave no time above 0 in 9 of 9 samples',
  warnings: ['below-clock'],
};

/** A result of these rows, from an invented GPU that reads 512 bytes per nanosecond. */
export function result(results: readonly BenchRow[], more: Partial<BenchContext> = {}): BenchResult {
  return {
    schema: SCHEMA,
    suite: SUITE,
    context: {
      date: '2026-01-02T03:04:05.000Z',
      tool: { name: 'gqa-webgpu', version: '0.1.0', commit: 'abc1234' },
      runtime: { kind: 'node', version: '20.20.2', webgpu: 'dawn (webgpu 0.6.2)' },
      adapter: {
        vendor: 'acme',
        architecture: 'one',
        device: '0x01',
        description: 'Acme One 1.0',
        software: false,
        subgroupMinSize: 32,
        subgroupMaxSize: 32,
      },
      features: ['subgroups', 'timestamp-query'],
      limits: {},
      timer: { source: 'gpu-timestamp', stepNs: 1, wallRatio: 1.02, demoted: false },
      ceiling: { readGBps: 512, bytes: 1024 * MIB, wgSize: 256, groups: 4096, samplesNs: [1, 2, 3] },
      host: { plan64Ns: 20_000 },
      coldBytes: 256 * MIB,
      seed: 42,
      order: 'interleaved',
      nonStandard: {},
      warnings: [],
      ...more,
    },
    results,
  };
}

/** `count` samples of exactly this time. */
export function steady(ns: number, count = 9): number[] {
  return Array.from({ length: count }, () => ns);
}

/** Samples from 0.9 to 1.1 of this time, evenly spread. */
export function noisy(ns: number, count = 21): number[] {
  return Array.from({ length: count }, (_, i) => ns * (0.9 + (0.2 * i) / (count - 1)));
}

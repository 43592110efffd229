// schema.ts: the result of a benchmark run, the same in Node, in a browser and in a file: its types and their check.
import * as v from 'valibot';
import type { DecodeKernel, KernelChoice, KvType, SubgroupReport } from '../../src/index.ts';
import {
  byName,
  flag,
  list,
  maybe,
  number,
  numberOrInfinity,
  numberOrNull,
  object,
  objectOrNull,
  oneOf,
  positive,
  text,
  times,
  word,
  type Read,
} from './fields.ts';
import type { BenchFeature } from './benchFeatures.ts';
import { SCHEMA, SUITE } from './version.ts';

/** A warning's code is stable; its text says what to do. */
export const warning = object({
  code: word<
    | 'software-adapter'
    | 'timer-coarse'
    | 'timer-broken'
    | 'timers-disagree'
    | 'below-clock'
    | 'above-ceiling'
    | 'noisy'
    | 'hidden'
    | 'tuning'
    | 'non-standard'
    | 'partial'
    | 'subgroups'
  >(),
  text,
});
export type Warning = Read<typeof warning>;

/** A run that has not come to its end: `interrupted`, `running` (written while it went on), or the code of an error. */
const partialRun = object({
  code: text,
  reason: text,
  /** Of the whole run. */
  rows: number,
});
export type PartialRun = Read<typeof partialRun>;

export const adapterFields = {
  vendor: text,
  architecture: text,
  device: text,
  description: text,
  software: flag,
  subgroupMinSize: number,
  subgroupMaxSize: number,
  /** What probes saw of its subgroups, in the sizes that kernels were to use; absent in older files, empty where none ran. */
  subgroupProbes: maybe(list(object({}) as v.GenericSchema as v.GenericSchema<SubgroupReport>)),
};
const adapterContext = object(adapterFields);
export type AdapterContext = Read<typeof adapterContext>;

/** The clock of all times, and how far it can be trusted; all measured in the run. */
const timerContext = object({
  source: oneOf('gpu-timestamp', 'wall'),
  /** Of timestamps the common divisor of their differences, of the wall clock the smallest difference. */
  stepNs: positive,
  /** How far off a wall time may be: its step, or how late the host may learn that work is done. Older results lack it. */
  wallLateNs: maybe(number),
  /**
   * Median of wall time (less that of an empty submission) over timestamps' time; null without timestamps, and where no
   * sample was long enough for the wall clock to judge.
   */
  wallRatio: numberOrNull,
  /** Timestamps were given up in favour of the wall clock in the course of the run. */
  demoted: flag,
});
export type TimerContext = Read<typeof timerContext>;

/**
 * The best read rate of `bytes`, in decimal GB/s; `samplesNs` of the winning workgroup size and count, or `samples` their
 * number in a result that was shared without them.
 */
const ceilingContext = object({
  readGBps: positive,
  bytes: number,
  wgSize: number,
  groups: number,
  samplesNs: list(number),
  samples: maybe(positive),
});
export type CeilingContext = Read<typeof ceilingContext>;

/**
 * What one step costs the thread that prepares it, in ns of its time: planning 64 sequences of unequal length. Null where
 * its clock cannot tell.
 */
export const hostContext = object({ plan64Ns: numberOrNull });
export type HostContext = Read<typeof hostContext>;

/** Who measured, where and how: what every kind of run says of itself. */
export const runFields = {
  date: text,
  tool: object({ name: oneOf('gqa-webgpu'), version: text, commit: maybe(text) }),
  runtime: object({ kind: text, version: text, webgpu: maybe(text) }),
  label: maybe(text),
  seed: number,
  order: oneOf('interleaved'),
  /** Parameters that differ from the suite's own, by long flag; empty for the standard run. */
  nonStandard: byName(text),
  warnings: list(warning),
  /** Why rows are missing; absent when the run came to its end. */
  partial: maybe(partialRun),
};

export const contextFields = {
  ...runFields,
  adapter: adapterContext,
  features: list(text),
  limits: byName(number),
  timer: timerContext,
  ceiling: ceilingContext,
  host: hostContext,
  /** Bytes that the rotated caches of a cold row exceed. */
  coldBytes: number,
  /** Where the host knows it. */
  lastLevelCacheBytes: maybe(number),
  crossOriginIsolated: maybe(flag),
};

/** Where and how a run was made. */
const benchContext = object(contextFields);
export type BenchContext = Read<typeof benchContext>;

/** The sizes of what a row measures. */
export const sizeFields = {
  heads: positive,
  kvHeads: positive,
  headDim: positive,
  batch: positive,
  depth: positive,
  capacity: positive,
};

export const paramFields = {
  ...sizeFields,
  model: text,
  kType: word<KvType>(),
  vType: word<KvType>(),
  /** Unequal sequences, as in `2q1s4k_30q1s512`; `batch` and `depth` are then their number and the longest. */
  requests: maybe(text),
  /** Positions of each sequence, where a row is a prompt: `depth` is then as many. */
  prompt: maybe(positive),
  /** Tokens of a page; absent without pages. */
  pageSize: maybe(positive),
  window: maybe(positive),
  /** Query positions of a decode step, where it has several: the last tokens of each sequence. */
  positions: maybe(positive),
  /** Whether the step begins with the append of its own tokens. */
  append: maybe(flag),
  /** First tokens that all sequences have in common, in the same pages. */
  sharedPrefix: maybe(positive),
  /** Whether those are attended to once for all sequences, and merged with what each has besides. */
  cascade: maybe(flag),
  features: maybe(list(word<BenchFeature>())),
  /** Whether copies of the caches are read in turn, so that none is found in the last-level cache. */
  cache: oneOf('cold', 'hot'),
  /** What was asked for; a row says which kernel that came to. */
  kernel: word<KernelChoice>(),
};

/** What a row measures: one attention step of one layer. */
const rowParams = object(paramFields);
export type RowParams = Read<typeof rowParams>;

/**
 * What a step costs the thread that prepares it, in ns of its time: to plan it, and to record it for one layer. Null where
 * its clock cannot tell.
 */
const rowHost = object({ planNs: numberOrNull, recordNs: numberOrNull });
export type RowHost = Read<typeof rowHost>;

export const checkFields = {
  ref: oneOf('cpu-f64'),
  pass: flag,
  maxAbsErr: numberOrInfinity,
  bound: numberOrInfinity,
  /** What of the result is not finite, in words. */
  notFinite: maybe(text),
};
const rowCheck = object(checkFields);
export type RowCheck = Read<typeof rowCheck>;

/** All in nanoseconds per step. */
export const timeFields = {
  stepsPerSample: number,
  samplesNs: times,
  wallNs: list(number),
  /** Wall time of the very first step, shader compilation included. */
  firstNs: number,
  median: number,
  /** 95 % interval of the median; null for fewer than six samples, which have none. */
  ci95: v.nullable(v.tuple([number, number], 'two numbers or null')),
  min: number,
  stop: oneOf('converged', 'reps', 'time', 'interrupted'),
};

export const rowTimeFields = {
  ...timeFields,
  /** How many samples there were, in a result that was shared without them: `samplesNs` is then the median alone. */
  samples: maybe(positive),
};
const rowTime = object(rowTimeFields);
export type RowTime = Read<typeof rowTime>;

export const rowFields = {
  /** As in `h32_kv8_d128_t4096_f16`. */
  id: text,
  test: text,
  variant: text,
  params: rowParams,
  /** The kernel that ran, its sizes in words, and whether they were measured on this device before; absent where none did. */
  kernel: maybe(word<DecodeKernel>()),
  sizes: maybe(text),
  tuned: maybe(flag),
  /** Kernels dispatched per layer and step, in order. Older results lack them, and rows where none ran. */
  dispatches: maybe(list(text)),
  splits: number,
  splitLen: number,
  bytes: object({ kvRead: number, partial: number }),
  /** Whether the caches read in turn exceed `coldBytes`; a row that is not cold has no share of the ceiling. */
  cold: flag,
  workingSetBytes: number,
  /** Before it was timed. */
  check: objectOrNull(checkFields),
  /** After it was timed, on the same buffers. */
  checkAfter: maybe(rowCheck),
  /** How far off the clock may put each of the samples, in ns per step. Older results lack it. */
  clockNs: maybe(number),
  /** Null when the check failed, the shape could not run, or the clock could not tell: no time then. */
  time: objectOrNull(rowTimeFields),
  host: maybe(rowHost),
  error: maybe(text),
  /** Codes of the warnings that concern this row. */
  warnings: list(warning.entries.code),
};
const benchRow = object(rowFields);
export type BenchRow = Read<typeof benchRow>;

export const schema = v.literal(SCHEMA, `"${SCHEMA}"`);

export const benchResult = object({
  schema,
  suite: v.literal(SUITE, `"${SUITE}"`),
  context: benchContext,
  results: list(benchRow),
});
export type BenchResult = Read<typeof benchResult>;

// schema.ts: the result of a benchmark run, the same in Node, in a browser and in a file.
import type { DecodeKernel, KernelChoice, KvType, SubgroupReport } from '../../src/index.ts';

/** Bumped when files of an older version cannot be read any more. */
export const SCHEMA = 'gqa-bench/1';

/** Bumped when numbers stop being comparable: another default, another way to measure. */
export const SUITE = '2';

export interface BenchResult {
  readonly schema: typeof SCHEMA;
  readonly suite: typeof SUITE;
  readonly context: BenchContext;
  readonly results: readonly BenchRow[];
}

/** Where and how a run was made. */
export interface BenchContext {
  readonly date: string;
  readonly tool: { readonly name: 'gqa-webgpu'; readonly version: string; readonly commit?: string };
  readonly runtime: { readonly kind: string; readonly version: string; readonly webgpu?: string };
  readonly adapter: AdapterContext;
  readonly label?: string;
  readonly features: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
  readonly timer: TimerContext;
  readonly ceiling: CeilingContext;
  readonly host: HostContext;
  /** Bytes that the rotated caches of a cold row exceed. */
  readonly coldBytes: number;
  /** Where the host knows it. */
  readonly lastLevelCacheBytes?: number;
  readonly seed: number;
  readonly order: 'interleaved';
  readonly crossOriginIsolated?: boolean;
  /** Parameters that differ from the suite's own, by long flag; empty for the standard run. */
  readonly nonStandard: Readonly<Record<string, string>>;
  readonly warnings: readonly Warning[];
  /** Why rows are missing; absent when the run came to its end. */
  readonly partial?: PartialRun;
}

/** A run that has not come to its end: `interrupted`, `running` (written while it went on), or the code of an error. */
export interface PartialRun {
  readonly code: string;
  readonly reason: string;
  /** Of the whole run. */
  readonly rows: number;
}

export interface AdapterContext {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  readonly software: boolean;
  readonly subgroupMinSize: number;
  readonly subgroupMaxSize: number;
  /** What probes saw of its subgroups, in the sizes that kernels were to use; absent in older files, empty where none ran. */
  readonly subgroupProbes?: readonly SubgroupReport[];
}

/** The clock of all times, and how far it can be trusted; all measured in the run. */
export interface TimerContext {
  readonly source: 'gpu-timestamp' | 'wall';
  /** Of timestamps the common divisor of their differences, of the wall clock the smallest difference. */
  readonly stepNs: number;
  /** How far off a wall time may be: its step, or how late the host may learn that work is done. Older results lack it. */
  readonly wallLateNs?: number;
  /**
   * Median of wall time (less that of an empty submission) over timestamps' time; null without timestamps, and where no
   * sample was long enough for the wall clock to judge.
   */
  readonly wallRatio: number | null;
  /** Timestamps were given up in favour of the wall clock in the course of the run. */
  readonly demoted: boolean;
}

/** The best read rate of `bytes`, in decimal GB/s; `samplesNs` of the winning workgroup size and count. */
export interface CeilingContext {
  readonly readGBps: number;
  readonly bytes: number;
  readonly wgSize: number;
  readonly groups: number;
  readonly samplesNs: readonly number[];
}

/**
 * What one step costs the thread that prepares it, in ns of its time: planning 64 sequences of unequal length. Null where
 * its clock cannot tell.
 */
export interface HostContext {
  readonly plan64Ns: number | null;
}

/** A warning's code is stable; its text says what to do. */
export interface Warning {
  readonly code:
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
    | 'subgroups';
  readonly text: string;
}

/** What a row measures: one attention step of one layer. */
export interface RowParams {
  readonly model: string;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly batch: number;
  readonly depth: number;
  readonly capacity: number;
  readonly kType: KvType;
  readonly vType: KvType;
  /** Unequal sequences, as in `2q1s4k_30q1s512`; `batch` and `depth` are then their number and the longest. */
  readonly requests?: string;
  /** Whether copies of the caches are read in turn, so that none is found in the last-level cache. */
  readonly cache: 'cold' | 'hot';
  /** What was asked for; a row says which kernel that came to. */
  readonly kernel: KernelChoice;
}

export interface BenchRow {
  /** As in `h32_kv8_d128_t4096_f16`. */
  readonly id: string;
  readonly test: string;
  readonly variant: string;
  readonly params: RowParams;
  /** The kernel that ran, its sizes in words, and whether they were measured on this device before; absent where none did. */
  readonly kernel?: DecodeKernel;
  readonly sizes?: string;
  readonly tuned?: boolean;
  readonly splits: number;
  readonly splitLen: number;
  readonly bytes: { readonly kvRead: number; readonly partial: number };
  /** Whether the caches read in turn exceed `coldBytes`; a row that is not cold has no share of the ceiling. */
  readonly cold: boolean;
  readonly workingSetBytes: number;
  /** Before it was timed. */
  readonly check: RowCheck | null;
  /** After it was timed, on the same buffers. */
  readonly checkAfter?: RowCheck;
  /** How far off the clock may put each of the samples, in ns per step. Older results lack it. */
  readonly clockNs?: number;
  /** Null when the check failed, the shape could not run, or the clock could not tell: no time then. */
  readonly time: RowTime | null;
  readonly host?: RowHost;
  readonly error?: string;
  /** Codes of the warnings that concern this row. */
  readonly warnings: readonly Warning['code'][];
}

/**
 * What a step costs the thread that prepares it, in ns of its time: to plan it, and to record it for one layer. Null where
 * its clock cannot tell.
 */
export interface RowHost {
  readonly planNs: number | null;
  readonly recordNs: number | null;
}

export interface RowCheck {
  readonly ref: 'cpu-f64';
  readonly pass: boolean;
  /** Infinity, in a file null, where the result is not finite. */
  readonly maxAbsErr: number;
  readonly bound: number;
  /** What of the result is not finite, in words. */
  readonly notFinite?: string;
}

/** All in nanoseconds per step. */
export interface RowTime {
  readonly stepsPerSample: number;
  readonly samplesNs: readonly number[];
  readonly wallNs: readonly number[];
  /** Wall time of the very first step, shader compilation included. */
  readonly firstNs: number;
  readonly median: number;
  /** 95 % interval of the median; null for fewer than six samples, which have none. */
  readonly ci95: readonly [number, number] | null;
  readonly min: number;
  readonly stop: 'converged' | 'reps' | 'time' | 'interrupted';
}

/** Bumped as SCHEMA is; a run of several engines has a result of its own kind. */
export const PEER_SCHEMA = 'gqa-peers/1';

/** Several engines on the same shapes and data, in one run. */
export interface PeerResult {
  readonly schema: typeof PEER_SCHEMA;
  readonly suite: typeof SUITE;
  readonly context: PeerContext;
  readonly results: readonly PeerRow[];
}

export interface PeerContext extends Pick<
  BenchContext,
  'date' | 'tool' | 'runtime' | 'label' | 'seed' | 'order' | 'nonStandard' | 'warnings' | 'partial'
> {
  /** Exact versions of the engines' packages, by name. */
  readonly packages: Readonly<Record<string, string>>;
  /** The places of the run: a process and the one device that all its contestants share. */
  readonly places: readonly PeerPlace[];
  /** K and V of every contestant are rotated over at least so many bytes, where memory allows. */
  readonly coldBytes: number;
  /** The clock of all times; `wall` includes what an engine does on the host in every step. */
  readonly timer: 'wall' | 'cuda-event';
}

export interface PeerPlace {
  readonly name: string;
  readonly runtime: BenchContext['runtime'];
  /** Null for a place without WebGPU. */
  readonly adapter: AdapterContext | null;
  readonly features: readonly string[];
  /** Null where it was not measured. */
  readonly ceiling: Pick<CeilingContext, 'readGBps' | 'bytes' | 'samplesNs'> | null;
}

/** What a row of several engines measures: one decode step, one query position per sequence. */
export interface PeerParams extends Pick<
  RowParams,
  'heads' | 'kvHeads' | 'headDim' | 'batch' | 'depth' | 'capacity'
> {
  /** Element type of K and V. */
  readonly type: string;
}

export interface PeerRow {
  /** The shape, as in `h32_kv8_d128_t4096_f16`. */
  readonly id: string;
  readonly place: string;
  readonly engine: string;
  readonly params: PeerParams;
  /** What runs in a step: op or kernels, layout of the cache, threads. */
  readonly step: string;
  readonly bytes: { readonly kvRead: number };
  readonly copies: number;
  readonly workingSetBytes: number;
  readonly cold: boolean;
  /** Against float64 before the first sample and after the last one. */
  readonly check: { readonly before: RowCheck; readonly after: RowCheck | null } | null;
  /** Null when an output was wrong or the engine could not run. */
  readonly time: RowTime | null;
  readonly error?: string;
  readonly warnings: readonly Warning['code'][];
}

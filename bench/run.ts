// run.ts: a benchmark run: check every row, time the rows of a group interleaved, sample by sample, and check them again.
import {
  checkShape,
  GqaError,
  subgroupReports,
  tunedFor,
  variantName as sizesName,
  type GqaDevice,
  type Tuning,
} from '../src/index.ts';
import { coldBytesOf, createBed, type Bed } from './bed.ts';
import { measureCeiling } from './ceiling.ts';
import { describeContext, type RunContext } from './context.ts';
import { plan64Cost, planCost, recordCost } from './hostCost.ts';
import { failedRow, timedRow, wrongRow } from './rowResult.ts';
import { rowGroups, variantName, type RowOptions } from './rows.ts';
import { sampleInterleaved, takeSample, warmUp, type Running, type SamplingOptions } from './sampling.ts';
import {
  SCHEMA,
  SUITE,
  type BenchResult,
  type BenchRow,
  type CeilingContext,
  type RowParams,
} from './schema.ts';
import { createSubject, type Subject } from './subject.ts';
import { PassTimer, type TimerHooks } from './timer.ts';
import { runWarnings } from './warnings.ts';

/** What to run and for how long. */
export interface BenchOptions extends RowOptions, SamplingOptions, TimerHooks {
  readonly check: boolean;
  /** What was measured on devices before; `auto` uses it. */
  readonly tuning?: Tuning;
  /** Size of the last-level cache, where the host knows it: of the CPU behind a software adapter. */
  readonly lastLevelCacheBytes?: number;
  readonly context: RunContext;
}

/** What a run reports while it goes on. */
export type BenchEvent =
  | { readonly type: 'progress'; readonly text: string; readonly done: number; readonly total: number }
  | { readonly type: 'ceiling'; readonly ceiling: CeilingContext }
  | { readonly type: 'row'; readonly row: BenchRow };

/** Runs the benchmark, yields progress and rows as they finish, and returns the whole result. */
export async function* runBench(
  device: GqaDevice,
  options: BenchOptions,
): AsyncGenerator<BenchEvent, BenchResult> {
  const groups = rowGroups(options);
  const timer = new PassTimer(device, options);
  const rows: BenchRow[] = [];
  const coldBytes = coldBytesOf(device.facts.software, options.lastLevelCacheBytes);
  try {
    yield { type: 'progress', text: 'measuring the read ceiling', done: 0, total: groups.length };
    await timer.calibrate();
    const ceiling = await measureCeiling(device, timer, coldBytes);
    yield { type: 'ceiling', ceiling };
    const host = { plan64Ns: plan64Cost(device) };
    for (const [index, group] of groups.entries()) {
      for await (const event of new Group(device, timer, options, coldBytes).run(group)) {
        if (event.type === 'row') rows.push(event.row);
        yield event.type === 'progress' ? { ...event, done: index, total: groups.length } : event;
      }
    }
    const measured = { ceiling, host, coldBytes };
    const probes = await subgroupReports(device);
    const context = describeContext(device, options, timer, measured, probes, runWarnings(timer, rows));
    return { schema: SCHEMA, suite: SUITE, context, results: rows };
  } finally {
    timer.destroy();
  }
}

/** The rows that are timed interleaved. Kernels on the same shape share one bed. */
class Group {
  readonly #device: GqaDevice;
  readonly #timer: PassTimer;
  readonly #options: BenchOptions;
  readonly #coldBytes: number;
  readonly #beds = new Map<string, Bed>();

  constructor(device: GqaDevice, timer: PassTimer, options: BenchOptions, coldBytes: number) {
    this.#device = device;
    this.#timer = timer;
    this.#options = options;
    this.#coldBytes = coldBytes;
  }

  async *run(group: readonly RowParams[]): AsyncGenerator<BenchEvent> {
    const running: Running[] = [];
    const finished = new Map<RowParams, BenchRow>();
    const load = group[0]!.requests ?? `d${group[0]!.depth}`;
    try {
      for (const params of group) {
        yield progress(`preparing ${variantName(params)} @ ${load}`);
        this.#options.signal?.throwIfAborted();
        const prepared = await this.#prepare(params);
        if ('samplesNs' in prepared) running.push(prepared);
        else finished.set(params, prepared);
      }
      const sampling = sampleInterleaved(running, (run) => takeSample(this.#timer, run), this.#options);
      let step = await sampling.next();
      for (; !step.done; step = await sampling.next()) yield progress(`${load}: ${step.value}`);
      for (const run of running) {
        const after = this.#options.check ? await run.subject.check() : undefined;
        const row =
          after?.pass === false
            ? wrongRow(run.params, { check: run.check, checkAfter: after })
            : timedRow(run, step.value, this.#coldBytes, after);
        finished.set(run.params, row);
      }
    } finally {
      for (const { subject } of running) subject.destroy();
      for (const bed of this.#beds.values()) bed.destroy();
    }
    for (const params of group) yield { type: 'row', row: finished.get(params)! };
  }

  /** Allocates, runs cold, checks and warms up one row; a row that cannot run or is wrong ends here, without a time. */
  async #prepare(params: RowParams): Promise<Running | BenchRow> {
    let made: { subject: Subject; tuned: boolean };
    try {
      made = await this.#subject(params);
    } catch (error) {
      if (error instanceof GqaError && error.code !== 'device-lost') return failedRow(params, error.message);
      throw error;
    }
    const { subject, tuned } = made;
    try {
      const { wallNs: firstNs } = await this.#timer.time((pass) => subject.record(pass));
      const check = this.#options.check ? await subject.check() : null;
      if (check && !check.pass) {
        subject.destroy();
        return wrongRow(params, { check });
      }
      const stepsPerSample = await warmUp(this.#device, this.#timer, subject);
      const host = { planNs: planCost(subject), recordNs: recordCost(this.#device, subject) };
      return { params, subject, tuned, check, host, firstNs, stepsPerSample, samplesNs: [], wallNs: [] };
    } catch (error) {
      subject.destroy();
      throw error;
    }
  }

  async #subject(params: RowParams): Promise<{ subject: Subject; tuned: boolean }> {
    const { kernel, ...shape } = params;
    const key = JSON.stringify(shape);
    let bed = this.#beds.get(key);
    if (!bed) {
      bed = await createBed(this.#device, shape, this.#options.seed, this.#coldBytes);
      this.#beds.set(key, bed);
    }
    const tuned = kernel === 'auto' ? this.#tunedFor(bed) : undefined;
    const subject = await createSubject(this.#device, bed, { kernel, ...(tuned && { tuned }) });
    // Its decoder passes over what the device's subgroups turn out not to run.
    return { subject, tuned: tuned !== undefined && subject.sizes === sizesName(tuned.variant) };
  }

  #tunedFor({ problem, cache }: Bed) {
    const { tuning } = this.#options;
    const { device, facts } = this.#device;
    return tuning && tunedFor(tuning, device.adapterInfo, facts, checkShape(problem), cache.layout);
  }
}

function progress(text: string): BenchEvent {
  return { type: 'progress', text, done: 0, total: 0 };
}

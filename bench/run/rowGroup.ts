// rowGroup.ts: the rows that are timed interleaved: each made ready and checked, sampled in turn, and checked again.
import type { GqaDevice } from '../../src/index.ts';
import { tunedFor } from '../../src/decode/tuning.ts';
import { variantName as sizesName } from '../../src/kernels/fused.ts';
import { createWorkload, fitsDevice, type Workload, type Rotation } from './workload.ts';
import { planCost, recordCost } from './hostCost.ts';
import { shapeOf } from '../../src/reference/problem.ts';
import { failedRow, isRowFault, timedRow, wrongRow } from './rowResult.ts';
import { loadName, variantName } from './rows.ts';
import type { BenchOptions } from './options.ts';
import { sampleInterleaved, takeSample, warmUp, type Running, sampleSpan } from './sampling.ts';
import type { BenchRow, RowParams } from '../schema/schema.ts';
import { median } from '../schema/stats.ts';
import { GroupTime } from './expectedTime.ts';
import { createTarget, type Target } from './target.ts';
import type { PassTimer } from './timer.ts';

/** What all groups of a run share. */
export interface GroupContext {
  readonly device: GqaDevice;
  readonly timer: PassTimer;
  readonly options: BenchOptions;
  readonly coldBytes: number;
  readonly rotation: Rotation;
}

/** A row that has been checked, and what is known of its time so far. */
export interface RowSoFar {
  readonly params: RowParams;
  /** ns per step: the median of the samples; before there are any, of its last warm-up. */
  readonly ns: number;
  readonly samples: number;
}

/** What a group reports while it goes on; `share` is how much of the group is done, from 0 to 1. */
export type GroupEvent =
  | {
      readonly type: 'progress';
      readonly text: string;
      readonly share: number;
      readonly soFar: readonly RowSoFar[];
    }
  | { readonly type: 'row'; readonly row: BenchRow };

/** The rows that are timed interleaved. Kernels on the same shape share one workload. */
export class RowGroup {
  readonly #device: GqaDevice;
  readonly #timer: PassTimer;
  readonly #options: BenchOptions;
  readonly #coldBytes: number;
  readonly #rotation: Rotation;
  readonly #workloads = new Map<string, Workload>();

  constructor({ device, timer, options, coldBytes, rotation }: GroupContext) {
    this.#device = device;
    this.#timer = timer;
    this.#options = options;
    this.#coldBytes = coldBytes;
    this.#rotation = rotation;
  }

  /** How long a group is expected to take. */
  time(group: readonly RowParams[]): GroupTime {
    const fits = (row: RowParams) => fitsDevice(this.#device, row);
    return new GroupTime(group, this.#options, sampleSpan(this.#device, this.#timer), fits);
  }

  /** Yields the rows when all are finished. An abort before the first round of samples rejects with its reason. */
  async *run(group: readonly RowParams[]): AsyncGenerator<GroupEvent> {
    const running: Running[] = [];
    const finished = new Map<RowParams, BenchRow>();
    const time = this.time(group);
    const load = loadName(group[0]!);
    try {
      for (const [index, params] of group.entries()) {
        yield progress(`preparing ${variantName(params)} @ ${load}`, time.beforeRow(index), running);
        this.#options.signal?.throwIfAborted();
        const prepared = await this.#prepare(params);
        if ('samplesNs' in prepared) running.push(prepared);
        else finished.set(params, prepared);
      }
      const sampling = sampleInterleaved(running, (run) => takeSample(this.#timer, run), this.#options);
      let step = await sampling.next();
      for (; !step.done; step = await sampling.next())
        yield progress(`${load}: round ${step.value.number}`, time.sampled(step.value.share), running);
      for (const run of running) {
        const after = this.#options.check ? await run.target.check() : undefined;
        const row =
          after?.pass === false
            ? wrongRow(run.params, { check: run.check, checkAfter: after })
            : timedRow(run, step.value, this.#coldBytes, after);
        finished.set(run.params, row);
      }
    } finally {
      for (const { target } of running) target.destroy();
      for (const workload of this.#workloads.values()) workload.destroy();
    }
    for (const params of group) yield { type: 'row', row: finished.get(params)! };
  }

  /** Allocates, runs cold, checks and warms up one row; a row that cannot run or is wrong ends here, without a time. */
  async #prepare(params: RowParams): Promise<Running | BenchRow> {
    let made: { target: Target; tuned: boolean };
    try {
      made = await this.#target(params);
    } catch (error) {
      if (isRowFault(error)) return failedRow(params, error.message);
      throw error;
    }
    const { target, tuned } = made;
    try {
      // Or the upload of its caches would be in the first time.
      await this.#device.gpu.queue.onSubmittedWorkDone();
      const { wallNs: firstNs } = await this.#timer.time((pass) => target.record(pass));
      const check = this.#options.check ? await target.check() : null;
      if (check && !check.pass) {
        target.destroy();
        return wrongRow(params, { check });
      }
      let warmNs = 0;
      const stepsPerSample = await warmUp(this.#device, this.#timer, target, (ns) => (warmNs = ns));
      const host = { planNs: planCost(target), recordNs: recordCost(this.#device, target) };
      const timed = { firstNs, warmNs, stepsPerSample, samplesNs: [], wallNs: [] };
      return { params, target, tuned, check, host, ...timed };
    } catch (error) {
      target.destroy();
      throw error;
    }
  }

  async #target(params: RowParams): Promise<{ target: Target; tuned: boolean }> {
    // A cascade and the plain step are on the same data.
    const { kernel, cascade, ...shape } = params;
    const key = JSON.stringify(shape);
    let workload = this.#workloads.get(key);
    if (!workload) {
      workload = await createWorkload(this.#device, shape, this.#options.seed, this.#rotation);
      this.#workloads.set(key, workload);
    }
    const tuned = kernel === 'auto' ? this.#tunedFor(workload) : undefined;
    const target = await createTarget(
      this.#device,
      workload,
      { kernel, ...(tuned && { tuned }) },
      cascade ? { cascade: params.sharedPrefix! } : {},
    );
    // Its decoder passes over what the device's subgroups turn out not to run.
    return { target, tuned: tuned !== undefined && target.sizes === sizesName(tuned.variant) };
  }

  #tunedFor({ problem, cache }: Workload) {
    const { tuning } = this.#options;
    const { gpu, facts } = this.#device;
    return tuning && tunedFor(tuning, gpu.adapterInfo, facts, shapeOf(problem), cache.layout);
  }
}

function progress(text: string, share: number, running: readonly Running[]): GroupEvent {
  const soFar = running.map(({ params, samplesNs, warmNs }) => ({
    params,
    ns: samplesNs.length > 0 ? median(samplesNs) : warmNs,
    samples: samplesNs.length,
  }));
  return { type: 'progress', text, share, soFar };
}

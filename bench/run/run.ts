// run.ts: a benchmark run, group by group of rows; what is finished when it ends early is its result.
import type { GqaDevice } from '../../src/index.ts';
import { subgroupReports } from '../../src/decode/probe.ts';
import { measureCeiling } from './ceiling.ts';
import { coldBytesOf, copiesPerKernel, rotatedBytesOf } from './coldCaches.ts';
import { describeContext } from './context.ts';
import { lossOr, partialFields, partialOf } from './endedEarly.ts';
import { CEILING_MS } from './expectedTime.ts';
import { plan64Cost } from './hostCost.ts';
import { RowGroup, type GroupContext, type RowSoFar } from './rowGroup.ts';
import type { BenchOptions } from './options.ts';
import { rowGroups } from './rows.ts';
import type { BenchResult, BenchRow, CeilingContext, PartialRun, RowParams } from '../schema/schema.ts';
import { ceilingShare } from '../schema/rates.ts';
import { SCHEMA, SUITE } from '../schema/version.ts';
import { PassTimer } from './timer.ts';
import { runWarnings, tuningWarnings } from './warnings.ts';

/**
 * What a run reports while it goes on. `soFar` comes after each group but the last, with the result if it ended there;
 * `failed` before a result that an error has cut short.
 */
export type BenchEvent =
  | {
      readonly type: 'progress';
      readonly text: string;
      /** Groups of rows. */
      readonly done: number;
      readonly total: number;
      /** How much of the run is done by the time that its parts are expected to take: 0 to 1. */
      readonly share: number;
      /** Of the group under way. */
      readonly soFar: readonly RowSoFar[];
    }
  | { readonly type: 'ceiling'; readonly ceiling: CeilingContext }
  | { readonly type: 'row'; readonly row: BenchRow }
  | { readonly type: 'soFar'; readonly result: BenchResult }
  | { readonly type: 'failed'; readonly error: unknown };

/**
 * Runs the benchmark, yields progress and rows as they finish, and returns the whole result. An abort, a lost device or
 * another error ends it with the rows that are finished, marked as partial; it rejects where there are none.
 */
export async function* runBench(
  device: GqaDevice,
  options: BenchOptions,
): AsyncGenerator<BenchEvent, BenchResult> {
  const groups = rowGroups(options);
  const timer = new PassTimer(device, options);
  try {
    await timer.calibrate();
    return yield* new Run(groupContext(device, timer, options, groups.flat().length)).run(groups);
  } finally {
    timer.destroy();
  }
}

function groupContext(
  device: GqaDevice,
  timer: PassTimer,
  options: BenchOptions,
  rows: number,
): GroupContext {
  const { software } = device.facts;
  const coldBytes = coldBytesOf(software, options.lastLevelCacheBytes);
  const rotation = { rotatedBytes: rotatedBytesOf(software, coldBytes), mostCopies: copiesPerKernel(rows) };
  return { device, timer, options, coldBytes, rotation };
}

/** The rows of a run, and what they are held against. */
class Run {
  readonly #context: GroupContext;
  /** Measured behind the first group, whose times are seen seconds earlier so; before its rows are given out. */
  #ceiling: CeilingContext | undefined;
  #host: BenchResult['context']['host'] | undefined;
  readonly #rows: BenchRow[] = [];

  constructor(context: GroupContext) {
    this.#context = context;
    this.#ceiling = context.options.ceiling;
  }

  async *run(groups: readonly (readonly RowParams[])[]): AsyncGenerator<BenchEvent, BenchResult> {
    const { device, options } = this.#context;
    const [rows, total] = [groups.flat().length, groups.length];
    const shareOf = this.#shares(groups);
    for (const [done, group] of groups.entries()) {
      try {
        options.signal?.throwIfAborted();
        const finished: BenchRow[] = [];
        for await (const event of new RowGroup(this.#context).run(group)) {
          if (event.type === 'row') finished.push(event.row);
          else yield { ...event, done, total, share: shareOf(done, event.share) };
        }
        if (!this.#ceiling) {
          const text = 'measuring the read ceiling';
          yield { type: 'progress', text, done, total, share: shareOf(done, 1), soFar: [] };
          const ceiling = await this.#measureCeiling();
          yield { type: 'ceiling', ceiling };
        }
        this.#rows.push(...finished);
        for (const row of finished) yield { type: 'row', row };
      } catch (thrown) {
        const aborted = options.signal?.aborted === true && thrown === options.signal.reason;
        const error = aborted ? thrown : await lossOr(device, thrown);
        if (this.#rows.length === 0) throw error;
        if (!aborted) yield { type: 'failed', error };
        return this.#result(partialOf(error, rows));
      }
      if (done < total - 1) yield { type: 'soFar', result: await this.#result({ ...RUNNING, rows }) };
    }
    return this.#result(this.#interrupted(rows));
  }

  async #measureCeiling(): Promise<CeilingContext> {
    const { device, timer, options, rotation } = this.#context;
    return (this.#ceiling = await measureCeiling(device, timer, rotation.rotatedBytes, options.signal));
  }

  /** From the share of a group to that of the run. */
  #shares(groups: readonly (readonly RowParams[])[]): (group: number, share: number) => number {
    const rowGroup = new RowGroup(this.#context);
    const times = groups.map((group) => rowGroup.time(group).ms);
    const ceilingMs = this.#ceiling ? 0 : CEILING_MS;
    const until = (group: number) =>
      times.slice(0, group).reduce((sum, ms) => sum + ms, group === 0 ? 0 : ceilingMs);
    return (group, share) => (until(group) + share * times[group]!) / until(times.length);
  }

  /** An abort in the last group's samples: all rows are there, of fewer samples than they would have. */
  #interrupted(rows: number): PartialRun | undefined {
    const { signal } = this.#context.options;
    return signal?.aborted ? partialOf(signal.reason, rows) : undefined;
  }

  async #result(partial?: PartialRun): Promise<BenchResult> {
    const { device, timer, options, coldBytes } = this.#context;
    const { lastLevelCacheBytes } = options;
    const ceiling = this.#ceiling!;
    const measured = {
      ceiling,
      host: (this.#host ??= { plan64Ns: plan64Cost(device) }),
      coldBytes,
      ...(lastLevelCacheBytes !== undefined && { lastLevelCacheBytes }),
    };
    const rows = [...this.#rows];
    const fields = partialFields(partial, rows.length);
    const warnings = [
      ...fields.warnings,
      ...tuningWarnings(device, options),
      ...runWarnings(
        timer,
        rows,
        rows.flatMap((row) => ceilingShare(ceiling, row) ?? []),
      ),
    ];
    const subgroupProbes = await subgroupReports(device);
    const findings = { ...fields, subgroupProbes, warnings };
    const context = describeContext(device, options, timer, measured, findings);
    return { schema: SCHEMA, suite: SUITE, context, results: rows };
  }
}

const RUNNING = { code: 'running', reason: 'written while the run went on' };

// run.ts: a comparison: per load bind, check, warm up, sample all contestants interleaved, check again.
import { noiseOf, rowTime } from '../run/rowResult.ts';
import { growSteps, sampleInterleaved, type Sampled, type SamplingOptions } from '../run/sampling.ts';
import type { PeerRow } from '../schema/peerSchema.ts';
import type { RowCheck, RowTime } from '../schema/schema.ts';
import { contestantName, type Contestant } from './contestants.ts';
import type { Entry } from './entries.ts';
import type { Host } from './host.ts';
import { firstLineOf, peerRow, wrongRow, type Compared } from './peerRow.ts';
import type { BoundTarget, PeerLoad, PeerWorkload } from './peerWorkload.ts';

/** What a run reports while it goes on. */
export type PeerEvent =
  | {
      readonly type: 'progress';
      readonly text: string;
      /** How much of the shapes is done: 0 to 1. */
      readonly share: number;
    }
  | { readonly type: 'row'; readonly row: PeerRow };

/**
 * Compares load by load; `maxTimeMs` is for the samples of one. An engine that fails, or whose output is wrong, gets a row that says
 * so; the others go on.
 */
export async function* comparePeers<H extends Host>(
  entries: readonly Entry<H>[],
  loads: readonly PeerLoad<H>[],
  options: SamplingOptions,
): AsyncGenerator<PeerEvent, void> {
  for (const [done, load] of loads.entries()) {
    options.signal?.throwIfAborted();
    for await (const event of compareLoad(entries, load, options))
      yield event.type === 'progress' ? { ...event, share: done / loads.length } : event;
  }
}

/** As of the run, but for the share. */
type LoadEvent =
  | Exclude<PeerEvent, { type: 'progress' }>
  | Omit<Extract<PeerEvent, { type: 'progress' }>, 'share'>;

/** A contestant on its way through a load. */
interface Running extends Sampled {
  readonly entry: Contestant;
  readonly target: BoundTarget;
  readonly before: RowCheck;
  readonly firstNs: number;
  readonly stepsPerSample: number;
}

async function* compareLoad<H extends Host>(
  entries: readonly Entry<H>[],
  load: PeerLoad<H>,
  options: SamplingOptions,
): AsyncGenerator<LoadEvent, void> {
  const progress = (text: string): LoadEvent => ({ type: 'progress', text: `${load.id}: ${text}` });
  yield progress('inputs and reference');
  const workload = await load.make();
  const finished = new Map<Contestant, PeerRow>();
  const running: Running[] = [];
  try {
    for (const entry of entries) {
      options.signal?.throwIfAborted();
      yield progress(`preparing ${contestantName(entry)}`);
      const prepared = await prepare(entry, workload);
      if ('target' in prepared) running.push(prepared);
      else finished.set(entry, prepared);
    }
    const sampling = sampleInterleaved(running, sampler(running, workload, finished), options);
    let round = await sampling.next();
    for (; !round.done; round = await sampling.next()) yield progress(`round ${round.value.number}`);
    for (const run of running) finished.set(run.entry, await finish(run, workload, round.value));
  } finally {
    for (const { target } of running) await target.release().catch(() => {});
  }
  for (const entry of entries) yield { type: 'row', row: finished.get(entry)! };
}

/** A sample's span, so long that what a wait ends late (src/node/quiet.ts: up to 1 ms) is at most 1 % of it. */
const SAMPLE_NS = 1e8;

/** Binds, runs cold, checks and warms up; what cannot run or is wrong ends here, with a row. */
async function prepare<H extends Host>(
  entry: Entry<H>,
  workload: PeerWorkload<H>,
): Promise<Running | PeerRow> {
  if ('error' in entry) return peerRow(entry, workload, { error: entry.error });
  let target: BoundTarget | undefined;
  try {
    const bound = (target = await workload.bind(entry.host, entry));
    const firstNs = await bound.time(1);
    const before = await bound.check();
    if (before.pass) {
      const stepsPerSample = await growSteps(SAMPLE_NS, (steps) => bound.time(steps));
      return { entry, target, before, firstNs, stepsPerSample, samplesNs: [] };
    }
    await target.release();
    return wrongRow(entry, workload, target, { before, after: null });
  } catch (error) {
    await target?.release().catch(() => {});
    return peerRow(entry, workload, { step: target?.step ?? '', error: firstLineOf(error) });
  }
}

/** Takes a sample; a contestant that fails leaves the run with an error. */
function sampler(running: Running[], workload: Compared, finished: Map<Contestant, PeerRow>) {
  return async (run: Running): Promise<void> => {
    const { entry, target, before, stepsPerSample, samplesNs } = run;
    try {
      samplesNs.push((await target.time(stepsPerSample)) / stepsPerSample);
    } catch (error) {
      running.splice(running.indexOf(run), 1);
      const check = { before, after: null };
      finished.set(entry, peerRow(entry, workload, { step: target.step, check, error: firstLineOf(error) }));
      await target.release().catch(() => {});
    }
  };
}

/** The second check, and the row. */
async function finish(run: Running, workload: Compared, stop: RowTime['stop']): Promise<PeerRow> {
  const { entry, target, before, samplesNs } = run;
  const { step } = target;
  try {
    const after = await target.check();
    const check = { before, after };
    if (!after.pass) return wrongRow(entry, workload, target, check);
    const time = rowTime({ ...run, wallNs: samplesNs }, stop);
    return peerRow(entry, workload, { step, check, time, warnings: noiseOf(samplesNs) });
  } catch (error) {
    return peerRow(entry, workload, { step, check: { before, after: null }, error: firstLineOf(error) });
  }
}

// run.ts: a comparison: per shape bind, check, warm up, sample all contestants interleaved, check again.
import { noiseOf, rowTime } from '../run/rowResult.ts';
import { growSteps, sampleInterleaved, type Sampled, type SamplingOptions } from '../run/sampling.ts';
import type { PeerRow } from '../schema/peerSchema.ts';
import type { RowCheck, RowTime } from '../schema/schema.ts';
import { contestantName } from './contestants.ts';
import type { Entry } from './entries.ts';
import type { PeerShape } from './inputs.ts';
import type { PeerTarget } from './peerTarget.ts';
import { firstLineOf, peerRow, shapeId, wrongRow } from './peerRow.ts';
import { checkTarget, makeWorkload, type Rotation, type PeerWorkload } from './peerWorkload.ts';

/** What to compare and for how long; `maxTimeMs` is for the samples of a shape. */
export interface PeerOptions extends SamplingOptions, Rotation {
  readonly shapes: readonly PeerShape[];
}

/** What a run reports while it goes on. */
export type PeerEvent =
  | {
      readonly type: 'progress';
      readonly text: string;
      /** How much of the shapes is done: 0 to 1. */
      readonly share: number;
    }
  | { readonly type: 'row'; readonly row: PeerRow };

/** Compares shape by shape. An engine that fails, or whose output is wrong, gets a row that says so; the others go on. */
export async function* comparePeers(
  entries: readonly Entry[],
  options: PeerOptions,
): AsyncGenerator<PeerEvent, void> {
  for (const [done, shape] of options.shapes.entries()) {
    options.signal?.throwIfAborted();
    for await (const event of compareShape(entries, shape, options))
      yield event.type === 'progress' ? { ...event, share: done / options.shapes.length } : event;
  }
}

/** As of the run, but for the share. */
type ShapeEvent =
  | Exclude<PeerEvent, { type: 'progress' }>
  | Omit<Extract<PeerEvent, { type: 'progress' }>, 'share'>;

/** A contestant on its way through a shape. */
interface Running extends Sampled {
  readonly entry: Entry;
  readonly target: PeerTarget;
  readonly before: RowCheck;
  readonly firstNs: number;
  readonly stepsPerSample: number;
}

async function* compareShape(
  entries: readonly Entry[],
  shape: PeerShape,
  options: PeerOptions,
): AsyncGenerator<ShapeEvent, void> {
  const progress = (text: string): ShapeEvent => ({ type: 'progress', text: `${shapeId(shape)}: ${text}` });
  yield progress('inputs and reference');
  const workload = makeWorkload(shape, options.seed, options);
  const finished = new Map<Entry, PeerRow>();
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
async function prepare(entry: Entry, workload: PeerWorkload): Promise<Running | PeerRow> {
  if ('error' in entry) return peerRow(entry, workload, { error: entry.error });
  let target: PeerTarget | undefined;
  try {
    const bound = (target = await entry.host.bind(entry.engine, workload.inputs, workload.copies));
    const firstNs = await bound.time(1);
    const before = await checkTarget(entry, bound, workload);
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
function sampler(running: Running[], workload: PeerWorkload, finished: Map<Entry, PeerRow>) {
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
async function finish(run: Running, workload: PeerWorkload, stop: RowTime['stop']): Promise<PeerRow> {
  const { entry, target, before, samplesNs } = run;
  const { step } = target;
  try {
    const after = await checkTarget(entry, target, workload);
    const check = { before, after };
    if (!after.pass) return wrongRow(entry, workload, target, check);
    const time = rowTime({ ...run, wallNs: samplesNs }, stop);
    return peerRow(entry, workload, { step, check, time, warnings: noiseOf(samplesNs) });
  } catch (error) {
    return peerRow(entry, workload, { step, check: { before, after: null }, error: firstLineOf(error) });
  }
}

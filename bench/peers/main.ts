// main.ts: `npm run bench:peers`: this project and other engines side by side, in one run.
import { interruptible } from '../../src/node/command/interrupt.ts';
import { checkOutputOption, exportJson } from '../../src/node/command/outputOption.ts';
import { Progress } from '../../src/node/command/progress.ts';
import { reportError } from '../../src/node/command/reportError.ts';
import { watchStandardStreams } from '../../src/node/command/standardStreams.ts';
import { EXIT } from '../../src/node/command/usage.ts';
import { partialOf } from '../run/endedEarly.ts';
import type { SamplingOptions } from '../run/sampling.ts';
import type { PeerResult, PeerRow } from '../schema/peerSchema.ts';
import type { PartialRun } from '../schema/schema.ts';
import { PEER_SCHEMA, SUITE } from '../schema/version.ts';
import { ATTENTION, TRAIN, WHOLE, type Comparison } from './comparison.ts';
import { selectContestants } from './contestants.ts';
import { peerContext, rotationFor } from './context.ts';
import { openEntries, type Entry } from './entries.ts';
import type { Host } from './host.ts';
import { entryOf, measureCeilings, openHosts } from './hosts.ts';
import { parseFlags, shapesOf, type PeerFlags } from './options.ts';
import type { PeerLoad } from './peerWorkload.ts';
import { peerReport } from './report.ts';
import { comparePeers } from './run.ts';

/** Runs and sets the process's exit code: 1 also when one of this project's own kernels has no time. */
async function main(argv: readonly string[]): Promise<void> {
  watchStandardStreams();
  const progress = new Progress();
  try {
    const flags = parseFlags(argv);
    shapesOf(flags); // a shape that cannot be ends it before anything is opened
    if (flags.exportJson) await checkOutputOption('--export-json', flags.exportJson);
    const result = await runFlags(flags, progress);
    progress.end();
    process.stdout.write(`${flags.output === 'md' ? peerReport(result) : JSON.stringify(result, null, 2)}\n`);
    if (flags.exportJson) await exportJson(flags.exportJson, result);
    if (result.results.some((row) => OWN.includes(row.engine) && !row.time)) process.exitCode = EXIT.failure;
  } catch (error) {
    progress.end();
    process.exitCode = reportError(error);
  }
}

function runFlags(flags: PeerFlags, progress: Progress): Promise<PeerResult> {
  if (flags.train) return run(flags, TRAIN, progress);
  return flags.whole ? run(flags, WHOLE, progress) : run(flags, ATTENTION, progress);
}

const OWN: readonly string[] = ['ours', 'plain'];

async function run<H extends Host>(
  flags: PeerFlags,
  comparison: Comparison<H>,
  progress: Progress,
): Promise<PeerResult> {
  const contestants = selectContestants(flags.contestants).filter(comparison.takesPart);
  const hosts = await openHosts(flags, comparison, contestants, progress);
  try {
    progress.show('opening engines (onnxruntime-web takes Node 20 up to a minute)');
    const { entries, places } = await openEntries(contestants.map((each) => entryOf(each, hosts)));
    const measured = await measureCeilings(places, hosts);
    const rotation = rotationFor(measured, entries.length);
    const { seed, reps, maxTime } = flags;
    const options = { seed, ...(reps && { reps }), maxTimeMs: maxTime * 1000 };
    const loads = comparison.loadsOf(flags, rotation);
    const { results, partial } = await compareAll(entries, loads, options, progress);
    const context = peerContext(flags, measured, rotation, { results, ...(partial && { partial }) });
    return { schema: PEER_SCHEMA, suite: SUITE, context, results };
  } finally {
    for (const host of hosts.values()) if (!(host instanceof Error)) await host.close();
  }
}

/** All rows, or those before an interrupt or an error, with why there are no more; rejects with that where there are none. */
async function compareAll<H extends Host>(
  entries: readonly Entry<H>[],
  loads: readonly PeerLoad<H>[],
  options: SamplingOptions,
  progress: Progress,
): Promise<{ results: PeerRow[]; partial?: PartialRun }> {
  const results: PeerRow[] = [];
  try {
    await interruptible('ending the run, finished rows are kept', async (signal) => {
      progress.until(signal);
      for await (const event of comparePeers(entries, loads, { ...options, signal })) {
        if (event.type === 'row') results.push(event.row);
        else progress.show(event.text, event.share);
      }
      // In the samples of the last load: its rows are there, of fewer samples.
      signal.throwIfAborted();
      progress.done();
    });
    return { results };
  } catch (error) {
    if (results.length === 0) throw error;
    progress.end();
    process.exitCode = reportError(error);
    return { results, partial: partialOf(error, entries.length * loads.length) };
  }
}

// Awaited here: Vite's module runner closes when the import is done, and with it every later import.
await main(process.argv.slice(2));

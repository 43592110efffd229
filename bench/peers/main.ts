// main.ts: `npm run bench:peers`: this project and other engines side by side, in one run.
import { interruptible } from '../../src/node/command/interrupt.ts';
import { checkOutputOption, exportJson } from '../../src/node/command/outputOption.ts';
import { Progress } from '../../src/node/command/progress.ts';
import { reportError } from '../../src/node/command/reportError.ts';
import { runtimeContext } from '../../src/node/runtimeContext.ts';
import { watchStandardStreams } from '../../src/node/command/standardStreams.ts';
import { EXIT } from '../../src/node/command/usage.ts';
import { nodeGpu } from '../../src/node/nodeGpu.ts';
import { partialOf } from '../run/endedEarly.ts';
import type { PeerPlace, PeerResult, PeerRow } from '../schema/peerSchema.ts';
import type { PartialRun } from '../schema/schema.ts';
import { PEER_SCHEMA, SUITE } from '../schema/version.ts';
import { selectContestants, type Contestant, type Place } from './contestants.ts';
import { peerContext, peerVersion, rotationFor } from './context.ts';
import { openEntries, type Entry } from './entries.ts';
import type { Host } from './host.ts';
import { openNodeHost } from './nodeHost.ts';
import { parseFlags, shapesOf, type PeerFlags } from './options.ts';
import { firstLineOf } from './peerRow.ts';
import { peerReport } from './report.ts';
import { comparePeers, type PeerOptions } from './run.ts';

/** Runs and sets the process's exit code: 1 also when one of this project's own kernels has no time. */
async function main(argv: readonly string[]): Promise<void> {
  watchStandardStreams();
  const progress = new Progress();
  try {
    const flags = parseFlags(argv);
    const shapes = shapesOf(flags);
    if (flags.exportJson) await checkOutputOption('--export-json', flags.exportJson);
    const result = await run(flags, shapes, progress);
    progress.end();
    process.stdout.write(`${flags.output === 'md' ? peerReport(result) : JSON.stringify(result, null, 2)}\n`);
    if (flags.exportJson) await exportJson(flags.exportJson, result);
    if (result.results.some((row) => OWN.includes(row.engine) && !row.time)) process.exitCode = EXIT.failure;
  } catch (error) {
    progress.end();
    process.exitCode = reportError(error);
  }
}

const OWN: readonly string[] = ['ours', 'plain'];

async function run(
  flags: PeerFlags,
  shapes: ReturnType<typeof shapesOf>,
  progress: Progress,
): Promise<PeerResult> {
  const contestants = selectContestants(flags.contestants);
  const hosts = await openHosts(flags, contestants, progress);
  try {
    progress.show('opening engines (onnxruntime-web takes Node 20 up to a minute)');
    const { entries, places } = await openEntries(contestants.map((each) => entryOf(each, hosts)));
    const measured = await measureCeilings(places, hosts);
    const rotation = rotationFor(measured, entries.length);
    const { seed, reps, maxTime } = flags;
    const options = { shapes, seed, ...(reps && { reps }), maxTimeMs: maxTime * 1000, ...rotation };
    const { results, partial } = await compareAll(entries, options, progress);
    const context = peerContext(flags, measured, rotation, { results, ...(partial && { partial }) });
    return { schema: PEER_SCHEMA, suite: SUITE, context, results };
  } finally {
    for (const host of hosts.values()) if (!(host instanceof Error)) await host.close();
  }
}

/** All rows, or those before an interrupt or an error, with why there are no more; rejects with that where there are none. */
async function compareAll(
  entries: readonly Entry[],
  options: PeerOptions,
  progress: Progress,
): Promise<{ results: PeerRow[]; partial?: PartialRun }> {
  const results: PeerRow[] = [];
  try {
    await interruptible('ending the run, finished rows are kept', async (signal) => {
      progress.until(signal);
      for await (const event of comparePeers(entries, { ...options, signal })) {
        if (event.type === 'row') results.push(event.row);
        else progress.show(event.text, event.share);
      }
      // In the samples of the last shape: its rows are there, of fewer samples.
      signal.throwIfAborted();
      progress.done();
    });
    return { results };
  } catch (error) {
    if (results.length === 0) throw error;
    progress.end();
    process.exitCode = reportError(error);
    return { results, partial: partialOf(error, entries.length * options.shapes.length) };
  }
}

/** A missing adapter in Node ends the run; a missing browser becomes the error of its contestants. */
async function openHosts(
  flags: PeerFlags,
  contestants: readonly Contestant[],
  progress: Progress,
): Promise<Map<Place, Host | Error>> {
  const wanted = new Set(contestants.map(({ place }) => place));
  const hosts = new Map<Place, Host | Error>();
  if (wanted.has('node')) {
    const { adapter, requireGpu } = flags;
    const found = await nodeGpu({ ...(adapter && { adapter }), requireGpu: requireGpu === true });
    for (const note of found.notes) progress.line(`warning  ${note}`);
    hosts.set('node', await openNodeHost(found, runtimeContext(found).runtime));
  }
  if (wanted.has('chromium')) {
    progress.show('starting Chromium');
    hosts.set('chromium', await openChromium().catch((error: unknown) => new Error(firstLineOf(error))));
  }
  return hosts;
}

// Imported here: without the contestants in Chromium no Playwright need be installed.
async function openChromium(): Promise<Host> {
  return (await import('./chromiumHost.ts')).openChromiumHost();
}

function entryOf(contestant: Contestant, hosts: ReadonlyMap<Place, Host | Error>): Entry {
  const { package: name, place } = contestant;
  if (name && !peerVersion(name)) return { ...contestant, error: `${name} is not installed in bench/peers` };
  const host = hosts.get(place)!;
  return host instanceof Error ? { ...contestant, error: host.message } : { ...contestant, host };
}

async function measureCeilings(
  places: readonly PeerPlace[],
  hosts: ReadonlyMap<Place, Host | Error>,
): Promise<PeerPlace[]> {
  return Promise.all(
    places.map(async (place) => {
      const host = hosts.get(place.name as Place);
      if (!place.adapter || !host || host instanceof Error || !host.ceiling) return place;
      return { ...place, ceiling: await host.ceiling() };
    }),
  );
}

// Awaited here: Vite's module runner closes when the import is done, and with it every later import.
await main(process.argv.slice(2));

// hosts.ts: the places of a run, opened, and who runs where.
import type { Progress } from '../../src/node/command/progress.ts';
import { nodeGpu } from '../../src/node/nodeGpu.ts';
import { runtimeContext } from '../../src/node/runtimeContext.ts';
import type { PeerPlace } from '../schema/peerSchema.ts';
import type { Comparison } from './comparison.ts';
import type { Contestant, Place } from './contestants.ts';
import { peerVersion } from './context.ts';
import type { Entry } from './entries.ts';
import type { Host } from './host.ts';
import type { PeerFlags } from './options.ts';
import { firstLineOf } from './peerRow.ts';

/** A missing adapter in Node ends the run; a missing browser becomes the error of its contestants. */
export async function openHosts<H extends Host>(
  flags: PeerFlags,
  { openNode, openChromium }: Comparison<H>,
  contestants: readonly Contestant[],
  progress: Progress,
): Promise<Map<Place, H | Error>> {
  const wanted = new Set(contestants.map(({ place }) => place));
  const hosts = new Map<Place, H | Error>();
  if (wanted.has('node')) {
    const { adapter, requireGpu } = flags;
    const found = await nodeGpu({ ...(adapter && { adapter }), requireGpu: requireGpu === true });
    for (const note of found.notes) progress.line(`warning  ${note}`);
    hosts.set('node', await openNode(found, runtimeContext(found).runtime));
  }
  if (wanted.has('chromium')) {
    progress.show('starting Chromium');
    hosts.set('chromium', await openChromium().catch((error: unknown) => new Error(firstLineOf(error))));
  }
  return hosts;
}

/** A contestant with its host, or why it has none. */
export function entryOf<H extends Host>(
  contestant: Contestant,
  hosts: ReadonlyMap<Place, H | Error>,
): Entry<H> {
  const { package: name, place } = contestant;
  if (name && !peerVersion(name)) return { ...contestant, error: `${name} is not installed in bench/peers` };
  const host = hosts.get(place)!;
  return host instanceof Error ? { ...contestant, error: host.message } : { ...contestant, host };
}

/** Places with how fast their devices read memory, where their hosts can tell. */
export async function measureCeilings(
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

// entries.ts: the contestants of a run, each with the host of its place, and the opening of their engines.
import type { PeerPlace } from '../schema/peerSchema.ts';
import type { Contestant } from './contestants.ts';
import type { Host } from './host.ts';
import { firstLineOf } from './peerRow.ts';

/** A contestant with the host of its place, or why it cannot take part at all. */
export type Entry<H extends Host> = Contestant & ({ readonly host: H } | { readonly error: string });

/** Opened engines, and the places with the device that all WebGPU engines of a place share. */
export interface Opened<H extends Host> {
  readonly entries: readonly Entry<H>[];
  readonly places: readonly PeerPlace[];
}

/** Opens every engine once; one that fails, or is on another adapter than the rest of its place, becomes an error. */
export async function openEntries<H extends Host>(entries: readonly Entry<H>[]): Promise<Opened<H>> {
  const places = new Map<Host, PeerPlace>();
  const opened: Entry<H>[] = [];
  for (const entry of entries) {
    if ('error' in entry) {
      opened.push(entry);
      continue;
    }
    const { host, ...contestant } = entry;
    try {
      places.set(host, await openOn(host, contestant, places.get(host)));
      opened.push(entry);
    } catch (error) {
      opened.push({ ...contestant, error: firstLineOf(error) });
    }
  }
  return { entries: opened, places: [...places.values()] };
}

/** Opens one engine and returns its place, with the device if this is the first engine that has one. */
async function openOn(host: Host, { engine }: Contestant, known: PeerPlace | undefined): Promise<PeerPlace> {
  const on = await host.open(engine);
  const { place: name, runtime } = host;
  const place = known ?? { name, runtime, adapter: null, features: [], ceiling: null };
  if (!on) return place;
  if (!place.adapter) return { ...place, ...on };
  // Subgroup sizes are told only to devices that asked for subgroups.
  const [expected, got] = [place, on].map(({ adapter }) => {
    return [adapter!.vendor, adapter!.architecture, adapter!.device, adapter!.description].join(' ');
  });
  if (got !== expected) throw new Error(`expected the adapter of the others, ${expected}, got ${got}`);
  return place;
}

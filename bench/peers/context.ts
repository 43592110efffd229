// context.ts: where and how a comparison was made, as its result states it.
import { existsSync, readFileSync } from 'node:fs';
import { freemem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { lastLevelCache, runtimeContext } from '../../src/node/runtimeContext.ts';
import { SOFTWARE_WARNING } from '../run/context.ts';
import { partialFields } from '../run/endedEarly.ts';
import type { PeerContext, PeerPlace, PeerResult, PeerRow } from '../schema/peerSchema.ts';
import type { PartialRun, Warning } from '../schema/schema.ts';
import { coldBytesOf } from '../run/coldCaches.ts';
import { DAWN_NAME } from '../../src/node/adapters.ts';
import { CONTESTANTS } from './contestants.ts';
import { nonStandard, type PeerFlags } from './options.ts';
import type { Rotation } from './peerWorkload.ts';

/** The version of a peer's package, or undefined where it is not installed. */
export function peerVersion(name: string): string | undefined {
  const files = ['', 'llamaCpp/'].map((folder) =>
    fileURLToPath(new URL(`${folder}node_modules/${name}/package.json`, import.meta.url)),
  );
  const file = files.find((each) => existsSync(each));
  if (!file) return undefined;
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

function packages(): Record<string, string> {
  const names = new Set(CONTESTANTS.flatMap((each) => each.package ?? []));
  const versions = [...names].map((name) => [name, peerVersion(name)]);
  return Object.fromEntries(versions.filter(([, version]) => version)) as Record<string, string>;
}

/**
 * How far K and V are rotated: past the last-level caches of GPUs and of this machine's processor, which some
 * contestants compute on, but over no more than their share of half the free memory.
 */
export function rotationFor(places: readonly PeerPlace[], contestants: number): Rotation {
  const { lastLevelCacheBytes } = lastLevelCache(true);
  const devices = places.map(({ adapter }) => coldBytesOf(adapter?.software ?? true));
  return {
    coldBytes: Math.max(coldBytesOf(true, lastLevelCacheBytes), ...devices),
    mostBytes: Math.floor(freemem() / 2 / Math.max(1, contestants)),
  };
}

/** The context of a run with these rows. */
export function peerContext(
  flags: PeerFlags,
  places: readonly PeerPlace[],
  rotation: Rotation,
  { results, partial }: Pick<PeerResult, 'results'> & { readonly partial?: PartialRun },
): PeerContext {
  const { version, commit, runtime } = runtimeContext({ webgpu: DAWN_NAME });
  return {
    date: new Date().toISOString(),
    tool: { name: 'gqa-webgpu', version, ...(commit && { commit }) },
    runtime,
    ...(flags.label && { label: flags.label }),
    packages: packages(),
    places,
    coldBytes: rotation.coldBytes,
    timer: 'wall',
    seed: flags.seed,
    order: 'interleaved',
    nonStandard: nonStandard(flags),
    warnings: [...warnings(flags, places, results), ...partialFields(partial, results.length).warnings],
    ...(partial && { partial }),
  };
}

function warnings(flags: PeerFlags, places: readonly PeerPlace[], rows: readonly PeerRow[]): Warning[] {
  const changed = Object.keys(nonStandard(flags));
  const noisy = rows.filter((row) => row.warnings.includes('noisy')).length;
  return [
    ...(places.some(({ adapter }) => adapter?.software)
      ? [{ code: 'software-adapter', text: SOFTWARE_WARNING } as const]
      : []),
    ...(changed.length > 0
      ? [{ code: 'non-standard', text: `not the standard run (${changed.join(', ')})` } as const]
      : []),
    ...(noisy > 0
      ? [
          {
            code: 'noisy',
            text: `${noisy} of ${rows.length} rows did not settle: their medians are known to worse than ±5 %`,
          } as const,
        ]
      : []),
  ];
}

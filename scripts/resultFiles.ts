// resultFiles.ts: the committed results of the benchmark: where they lie, what they are called, which ones there are.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  ofThisSuite,
  parseIsaResult,
  parsePeerResult,
  parseReproduceResult,
  parseResult,
} from '../bench/schema/readResult.ts';
import type { IsaResult } from '../bench/schema/isaSchema.ts';
import type { PeerResult } from '../bench/schema/peerSchema.ts';
import type { ReproduceResult } from '../bench/schema/reproduceSchema.ts';
import type { BenchResult } from '../bench/schema/schema.ts';
import { ISA_SCHEMA, PEER_SCHEMA, REPRODUCE_SCHEMA, SCHEMA } from '../bench/schema/version.ts';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** From the repository's root. */
export const RESULTS = 'bench/results';

/** A result and its file's name without `.json`. */
export interface Named<Result> {
  readonly name: string;
  readonly result: Result;
}

export type NamedResult = Named<BenchResult>;

export type NamedPeers = Named<PeerResult>;

export type NamedIsa = Named<IsaResult>;

/**
 * All results of `gqa bench` in a folder, by name. Files of another schema are none of them. Throws GqaError for one that
 * is damaged or of another suite.
 */
export function readResults(folder = join(ROOT, RESULTS)): NamedResult[] {
  return readFiles(folder, SCHEMA, (text, path) => ofThisSuite(parseResult(text, path), path));
}

/** All results of `npm run bench:peers` and of torch_decode.py in a folder. Throws GqaError for one of another suite. */
export function readPeerResults(folder = join(ROOT, RESULTS)): NamedPeers[] {
  return readFiles(folder, PEER_SCHEMA, parsePeerResult);
}

/** All results of `npm run bench:isa` in a folder. Throws GqaError for one that is damaged. */
export function readIsaResults(folder = join(ROOT, RESULTS)): NamedIsa[] {
  return readFiles(folder, ISA_SCHEMA, parseIsaResult);
}

/** All results of `gqa reproduce` in a folder. Throws GqaError for one that is damaged. */
export function readReproduceResults(folder = join(ROOT, RESULTS)): Named<ReproduceResult>[] {
  return readFiles(folder, REPRODUCE_SCHEMA, parseReproduceResult);
}

/** The files of a schema, read by `read`, which is given their text and what to call them in errors. */
function readFiles<Result>(
  folder: string,
  schema: string,
  read: (text: string, path: string) => Result,
): Named<Result>[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.json'));
  return files.toSorted().flatMap((file): Named<Result>[] => {
    const text = readFileSync(join(folder, file), 'utf8');
    if (!text.includes(`"${schema}"`)) return [];
    return [{ name: file.slice(0, -'.json'.length), result: read(text, `${RESULTS}/${file}`) }];
  });
}

/**
 * What a result's file is called: the user's label, or the adapter's name; of a software adapter its kind and the
 * processor's cores, which are what computes.
 */
export function resultName({ context: { adapter, label } }: BenchResult, cores: number): string {
  if (label) return slug(label);
  if (adapter.software) return `${slug(adapter.device || adapter.description).split('-')[0]}-${cores}core`;
  return slug(adapter.device || adapter.description || `${adapter.vendor} ${adapter.architecture}`);
}

function slug(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9.]+/g, '-')
    .replaceAll(/^[-.]+|[-.]+$/g, '');
}

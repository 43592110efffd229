// convertOptions.ts: the options of `gqa convert` that are more than a number or a word.
import { InvalidArgumentError } from 'commander';
import type { Share } from '../../src/checkpoint/convert/disk/job.ts';
import {
  hasOneLayer,
  MAP_ROLES,
  mapFault,
  mapFormat,
  type MapEntry,
} from '../../src/checkpoint/find/tensorMap.ts';
import type { CheckpointFormat, Positions } from '../../src/models/families/family.ts';
import { GqaError, ShapeError } from '../../src/device/errors.ts';

/** A folder to make, without the slashes that shells and people put behind it: more is put there to name its neighbour. */
export function folder(text: string, before?: string): string {
  if (before !== undefined) throw new InvalidArgumentError(`expected one folder, got "${before}" before.`);
  if (text === '') throw new InvalidArgumentError('expected the name of a folder, got "".');
  return text.replace(/(?<=.)[\\/]+$/, '');
}

/** Parses "i/n", worker i of n, counted from 0 as schedulers do. */
export function share(text: string): Share {
  const [, index, of] = /^(\d+)\/(\d+)$/.exec(text.trim()) ?? [];
  const parsed = { index: Number(index), of: Number(of) };
  if (index !== undefined && parsed.of >= 1 && parsed.of <= 1e6 && parsed.index < parsed.of) return parsed;
  throw new InvalidArgumentError(`expected i/n with i from 0 to n - 1, as 0/8, got "${text}".`);
}

/** How positions rotate a head: its pairing and how many of its elements, all when undefined. */
export interface RopeOption {
  readonly pairing: Positions['pairing'];
  readonly dims: number | undefined;
}

/** Parses "half", "interleaved" or "none", and "half:64" where only the first 64 elements of a head are rotated. */
export function rope(text: string): RopeOption {
  const [, pairing, dims] = /^(half|interleaved|none)(?::(\d+))?$/.exec(text.trim()) ?? [];
  const count = dims === undefined ? undefined : Number(dims);
  const valid =
    pairing !== undefined && (count === undefined || (pairing !== 'none' && count >= 2 && count % 2 === 0));
  if (valid) return { pairing: pairing as Positions['pairing'], dims: count };
  throw new InvalidArgumentError(
    `expected half, interleaved or none, or half:64 with an even number, got "${text}".`,
  );
}

/** The positions of heads of `headDim` elements. */
export function positionsOf({ pairing, dims }: RopeOption, headDim: number): Positions {
  if (dims !== undefined && dims > headDim) {
    throw new ShapeError(`--rope: expected at most head_dim (${headDim}) rotated elements, got ${dims}`);
  }
  return { pairing, rotaryDims: pairing === 'none' ? 0 : (dims ?? headDim) };
}

/** Parses "q=layers.{layer}.attention.wq.weight", with ":transposed" behind it for weights [in, out]. Collects. */
export function mapEntry(text: string, before: readonly MapEntry[] = []): MapEntry[] {
  const [, given, name, transposed] = /^(\w+)=(\S+?)(:transposed)?$/.exec(text.trim()) ?? [];
  const role = MAP_ROLES.find((known) => known === given);
  if (role === undefined || name === undefined || !hasOneLayer(name)) {
    throw new InvalidArgumentError(
      `expected role=name with one {layer} in the name and a role of ${MAP_ROLES.join(', ')}, got "${text}".`,
    );
  }
  if (before.some((entry) => entry.role === role)) {
    throw new InvalidArgumentError(`expected each role once, got ${role} twice.`);
  }
  return [...before, { role, name, transposed: transposed !== undefined }];
}

/** The format that the entries of --map describe. */
export function formatOf(entries: readonly MapEntry[]): CheckpointFormat {
  const fault = mapFault(entries);
  if (fault !== undefined) throw new GqaError('usage', `--map: ${fault}`);
  return mapFormat(entries);
}

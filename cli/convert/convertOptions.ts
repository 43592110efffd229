// convertOptions.ts: the options of `gqa convert` that are more than a number or a word.
import { InvalidArgumentError } from 'commander';
import type { Share } from '../../src/checkpoint/convert/disk/job.ts';
import type { CheckpointFormat, PartSpec, Positions } from '../../src/models/families/family.ts';
import { IN_CONFIG, ROTARY } from '../../src/models/families/format.ts';
import type { SlotOrder } from '../../src/models/families/headSlots.ts';
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

/** One tensor of --map. */
export interface MapEntry {
  readonly order: SlotOrder;
  readonly name: string;
  readonly transposed: boolean;
}

const ORDERS: readonly SlotOrder[] = ['q', 'k', 'v', 'o', 'qkv', 'grouped'];

/** Parses "q=layers.{layer}.attention.wq.weight", with ":transposed" behind it for weights [in, out]. Collects. */
export function mapEntry(text: string, before: readonly MapEntry[] = []): MapEntry[] {
  const [, role, name, transposed] = /^(\w+)=(\S+?)(:transposed)?$/.exec(text.trim()) ?? [];
  const order = ORDERS.find((known) => known === role);
  if (order === undefined || name === undefined || name.split('{layer}').length !== 2) {
    throw new InvalidArgumentError(
      `expected role=name with one {layer} in the name and a role of ${ORDERS.join(', ')}, got "${text}".`,
    );
  }
  if (before.some((entry) => entry.order === order)) {
    throw new InvalidArgumentError(`expected each role once, got ${order} twice.`);
  }
  return [...before, { order, name, transposed: transposed !== undefined }];
}

/** The format that the entries of --map describe: q, k, v and o, or a fused projection and o. */
export function formatOf(entries: readonly MapEntry[]): CheckpointFormat {
  const given = entries
    .map(({ order }) => order)
    .toSorted()
    .join(' ');
  if (!['k o q v', 'o qkv', 'grouped o'].includes(given)) {
    throw new GqaError(
      'usage',
      `--map: expected q, k, v and o, or qkv and o, or grouped and o, got ${given}`,
    );
  }
  const twice = entries.find(({ name }, i) => entries.findIndex((other) => other.name === name) !== i);
  if (twice)
    throw new GqaError('usage', `--map: expected a name of its own for each role, got ${twice.name} twice`);
  const output = entries.find(({ order }) => order === 'o')!.name;
  // A bias of the output projection has no heads.
  const unchanged = [output.replace(/\.weight$/, '.bias')];
  return {
    name: 'by --map',
    modelTypes: [],
    modules: [
      { kind: 'self', folder: undefined, parts: entries.flatMap(partsOf), unchanged, norms: undefined },
    ],
    // How its positions enter is for --rope to say.
    ...IN_CONFIG,
    ...ROTARY,
    when: () => false,
  };
}

/** The weight and, unless it is the output projection, the bias that may stand beside it. */
function partsOf({ order, name, transposed }: MapEntry): PartSpec[] {
  const along = (order === 'o') === transposed ? 0 : 1;
  const weight = { name, order, axis: along, rows: 'headDim', other: 'hidden', optional: false } as const;
  if (order === 'o' || !name.endsWith('.weight')) return [weight];
  const bias = name.replace(/weight$/, 'bias');
  return [weight, { ...weight, name: bias, axis: 0, other: 'none', optional: true }];
}

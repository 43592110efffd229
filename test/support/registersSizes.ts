// registersSizes.ts: the sizes that are chosen for decode_registers, whatever the shape, and what follows from them.
import type { DeviceFacts } from '../../src/device/deviceFacts.ts';
import { type RegistersVariant } from '../../src/kernels/decodeRegisters.ts';
import { chooseRegisters } from '../../src/kernels/registersSizes.ts';
import type { KvType } from '../../src/numbers/elements.ts';
import { checkShape } from '../../src/kernels/shape.ts';
import { HEAD_DIMS } from './shapes.ts';

/** Teams with the same rows. */
export function runsOf({ wgSize, lanes, blocks }: RegistersVariant): number {
  return wgSize / lanes / blocks;
}

/** Keys of a round. */
export function roundOf(variant: RegistersVariant): number {
  return runsOf(variant) * variant.tokens;
}

/** What devices of these facts are ever given: a variant for each combination of lanes, tokens, rows and blocks. */
export function chosenRegisters(devices: readonly DeviceFacts[]): RegistersVariant[] {
  const all = devices.flatMap(everyChoice);
  return distinct(all, ({ lanes, tokens, teamRows, blocks, q, code }) =>
    [lanes, tokens, teamRows, blocks, q, code].join(),
  );
}

/**
 * Of these, one for each combination of lanes, tokens and rows, and each number of blocks at least once: blocks only count
 * rows and runs, so that which of them meet does not matter.
 */
export function pairedRegisters(devices: readonly DeviceFacts[]): RegistersVariant[] {
  const all = chosenRegisters(devices);
  const rowsOf = ({ lanes, tokens, teamRows, q, code }: RegistersVariant) =>
    [lanes, tokens, teamRows, q, code].join();
  const seen = new Set<number>();
  // From the most lanes on: those compile fastest, and meet most of the blocks.
  const kinds = distinct(all, rowsOf).toSorted((a, b) => b.lanes - a.lanes);
  return kinds.map((kind) => {
    const alike = all.filter((variant) => rowsOf(variant) === rowsOf(kind));
    const variant = alike.find(({ blocks }) => !seen.has(blocks)) ?? alike.at(-1)!;
    seen.add(variant.blocks);
    return variant;
  });
}

/** Sizes of a variant that meet each other in the shader's text; blocks meet lanes alone, which make up a workgroup with them. */
const MEETING = ['lanes', 'tokens', 'teamRows', 'q', 'code'] as const;

/** Of these, as few as have every two sizes together that any of them has together. */
export function everyTwoSizes(all: readonly RegistersVariant[]): RegistersVariant[] {
  const left = new Set(all.flatMap(twoSizes));
  const chosen: RegistersVariant[] = [];
  while (left.size > 0) {
    const gains = all.map((variant) => twoSizes(variant).filter((two) => left.has(two)));
    const most = Math.max(...gains.map(({ length }) => length));
    const best = gains.findIndex(({ length }) => length === most);
    for (const two of gains[best]!) left.delete(two);
    chosen.push(all[best]!);
  }
  return chosen;
}

function twoSizes(variant: RegistersVariant): string[] {
  return [
    `blocks ${variant.blocks}, lanes ${variant.lanes}`,
    ...MEETING.flatMap((a, i) => MEETING.slice(i + 1).map((b) => `${a} ${variant[a]}, ${b} ${variant[b]}`)),
  ];
}

function distinct<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  return [...new Map(items.map((item) => [keyOf(item), item])).values()];
}

const known = new Map<string, RegistersVariant[]>();

function everyChoice(facts: DeviceFacts): RegistersVariant[] {
  const key = JSON.stringify(facts);
  const variants = known.get(key) ?? choicesOf(facts);
  known.set(key, variants);
  return variants;
}

/**
 * Rows of a KV head: all that the teams of a CPU may have, and one to four for each number of blocks up to 32 of a GPU. Others
 * get the sizes of the next of these.
 */
const ROWS = [1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 24, 32, 48, 64, 96, 128];

/** Rows of bf16 have the words of f16, and cost as much to unpack. */
const TYPES: readonly KvType[] = ['f32', 'f16', 'int8', 'int4'];

function choicesOf(facts: DeviceFacts): RegistersVariant[] {
  const variants: RegistersVariant[] = [];
  for (const headDim of HEAD_DIMS) {
    const shapes = ROWS.map((numQHeads) => checkShape({ numQHeads, numKvHeads: 1, headDim }));
    for (const kType of TYPES) {
      for (const vType of TYPES) {
        for (const shape of shapes) variants.push(chooseRegisters(shape, { kType, vType }, facts));
      }
    }
  }
  return variants;
}

// cacheCommands.ts: the calls of a KV cache and its decoders that a caller makes in any order.
import fc from 'fast-check';
import type { Command } from './cacheCommand.ts';
import { BATCH } from './cacheSetup.ts';
import { abandon, abandonLate, type Late } from './lostCommands.ts';
import {
  again,
  back,
  fork,
  load,
  restore,
  setPages,
  snapshot,
  stepOfCaller,
  truncate,
  truncateOne,
  type Change,
  type TableFault,
} from './sequenceCommands.ts';
import { append, decode, decodeAgain, joined, step, type Taken } from './tokenCommands.ts';

/** More than any cache has; commands take the rest. */
const layers = fc.nat(5);
const sequences = fc.nat(BATCH - 1);
const seeds = fc.integer({ min: 1, max: 1e6 });
const each = <T>(one: fc.Arbitrary<T>) => fc.array(one, { minLength: BATCH, maxLength: BATCH, size: 'max' });

/** None for most sequences, and for the first one now and then more than there are. */
const spares = each(fc.integer({ min: -1, max: 6 })).map(([first, ...rest]) => [
  first!,
  ...rest.map((spare) => Math.max(0, spare)),
]);

/** Few rows, so that rings take them, or many, so that pages fill. */
const taken = (most: number): fc.Arbitrary<Taken> =>
  fc
    .record({
      rows: fc.integer({ min: 1, max: most }),
      counts: fc.option(each(fc.nat(most)), { nil: undefined, freq: 2 }),
    })
    .map(({ rows, counts }) => ({ rows, counts: counts?.map((count) => Math.min(rows, count)) }));
const appends = (most: number) => fc.array(taken(most), { minLength: 1, maxLength: 2 });

const changes = each(
  fc.record({
    kind: fc.constantFrom<Change>('grow', 'grow', 'grow', 'grow', 'drop', 'share', 'move', 'any'),
    other: sequences,
    tokens: fc.nat(16),
    newTokens: fc.oneof(fc.nat(16), fc.constant(16)),
  }),
);
const none = fc.constant(undefined);
const faults = fc.oneof(
  { arbitrary: none, weight: 5 },
  {
    arbitrary: fc.constantFrom<TableFault>(
      'a page twice',
      'no such page',
      'too full a page',
      'new tokens',
      'indptr',
    ),
    weight: 1,
  },
);

const tables = fc.tuple(changes, faults, seeds).map((args) => setPages(...args));

const lates = fc
  .tuple(fc.shuffledSubarray([0, 1, 2], { minLength: 3 }), fc.boolean())
  .map(([[from, lost, grown], isLost]): Late => {
    return { from: from!, lost: lost!, gone: isLost ? lost! : from!, grown: grown! };
  });

export const CALLS: readonly fc.Arbitrary<Command>[] = [
  fc.tuple(layers, appends(4), seeds).map((args) => append(...args)),
  fc.tuple(layers, appends(12), seeds).map((args) => append(...args)),
  fc.tuple(appends(3), seeds).map(([all, seed]) => append(undefined, all, seed)),
  fc.tuple(appends(7), seeds).map(([all, seed]) => append(undefined, all, seed)),
  seeds.map(step),
  seeds.map(step),
  seeds.map(step),
  fc
    .tuple(layers, spares, fc.option(each(fc.nat(20)), { nil: undefined }), seeds)
    .map((args) => decode(...args)),
  fc.tuple(layers, each(fc.nat(2)), seeds).map(([n, spare, seed]) => decode(n, spare, undefined, seed)),
  seeds.map(decodeAgain),
  fc.oneof(spares, each(fc.nat(20))).map(truncate),
  sequences.map((b) => truncateOne(b, 0)),
  layers.map(abandon),
  fc.tuple(layers, lates, seeds).map((args) => abandonLate(...args)),
  fc.tuple(sequences, fc.nat(9)).map(([b, kvLen]) => truncateOne(b, kvLen % 7)),
  fc.tuple(sequences, fc.nat(5)).map((args) => back(...args)),
  fc.tuple(layers, sequences, fc.nat(5), seeds).map((args) => again(...args)),
  fc.tuple(sequences, sequences).map((args) => fork(...args)),
  fc.tuple(layers, sequences, sequences, seeds).map((args) => joined(...args)),
  fc.option(sequences, { nil: undefined }).map(snapshot),
  sequences.map(restore),
  fc.tuple(layers, each(fc.nat(1000)), seeds).map((args) => load(...args)),
  tables,
  tables,
  seeds.map(stepOfCaller),
  seeds.map(stepOfCaller),
];

// sequenceCommands.ts: calls by which sequences of a KV cache come, go and change places, each as it changes the model and as the real ones are called.
import { encodeRows, ShapeError, type CallerPages } from '../../src/index.ts';
import { shuffled, uniform } from '../../src/numbers/random.ts';
import { command, type Command } from './cacheCommand.ts';
import { newRows, type CacheModel } from './cacheModel.ts';
import { ALL } from './layerModel.ts';
import { carryOut, type RealCache } from './realCache.ts';
import { append, decode, layerOf, step } from './tokenCommands.ts';

/** Forgets so many tokens of each sequence in the layer that has the fewest, and as many as that leaves in all; more than there are, if negative. */
export function truncate(counts: readonly number[]): Command {
  return command(`truncate(${counts.map((count) => -count).join()})`, (model, real) => {
    const kept = model.shortest().map((kvLen, b) => Math.max(0, kvLen - counts[b]!));
    return carryOut(real, {
      name: 'truncate',
      error: model.cacheError() ?? model.cut(ALL, kept),
      act: () => real.cache.truncate(kept),
    });
  });
}

/** Keeps so many tokens of one sequence, in all layers; none by `reset`. */
export function truncateOne(b: number, kvLen: number): Command {
  return command(kvLen === 0 ? `reset(${b})` : `truncate(${kvLen}, ${b})`, (model, real) =>
    carryOut(real, {
      name: kvLen === 0 ? 'reset' : 'truncate of one',
      error: model.cacheError() ?? model.cut([b], [kvLen]),
      act: () => (kvLen === 0 ? real.cache.reset(b) : real.cache.truncate(kvLen, { sequence: b })),
    }),
  );
}

/** Forgets the last tokens of one sequence. */
export function back(b: number, count: number): Command {
  return command(`back(${b}, ${count})`, (model, real) =>
    truncateOne(b, Math.max(0, model.shortest()[b]! - count)).run(model, real),
  );
}

/** Goes back in rings, appends less than that was, and attends to fewer tokens: what was overwritten before stays so. */
export function again(n: number, b: number, count: number, seed: number): Command {
  const run = async (model: CacheModel, real: RealCache) => {
    const counts = ALL.map((each) => (each === b ? 1 : 0));
    await back(b, count).run(model, real);
    await append(undefined, [{ rows: 1, counts }], seed).run(model, real);
    await decode(n, counts, undefined, seed).run(model, real);
  };
  return command(`again(${n}, ${b}, ${count})`, run, ({ layers }) => layers.some(({ ring }) => ring));
}

/** A sequence becomes a copy of another one. */
export function fork(from: number, to: number): Command {
  return command(`fork(${from}, ${to})`, (model, real) =>
    carryOut(real, {
      name: 'fork',
      error: model.cacheError() ?? (from === to || model.isCallers ? ShapeError : undefined),
      act: () => real.cache.fork(from, to),
      apply: () => model.fork(from, to),
    }),
  );
}

/** Saves a sequence, or all of them. */
export function snapshot(sequence: number | undefined): Command {
  return command(`snapshot(${sequence ?? ''})`, (model, real) =>
    carryOut(real, {
      name: 'snapshot',
      error: model.cacheError(),
      act: async () => {
        real.saved = await real.cache.snapshot(sequence === undefined ? {} : { sequence });
      },
      apply: () => model.save(sequence === undefined ? ALL : [sequence]),
    }),
  );
}

/** Restores what was saved last; a sequence to another place. */
export function restore(sequence: number): Command {
  const run = (model: CacheModel, real: RealCache) => {
    const isOne = model.saved!.sequences.length === 1;
    return carryOut(real, {
      name: 'restore',
      error: model.cacheError() ?? model.restore(isOne ? sequence : undefined),
      act: () => real.cache.restore(real.saved!, isOne ? { sequence } : {}),
    });
  };
  return command(`restore(${sequence})`, run, ({ saved }) => saved !== undefined);
}

/** Replaces what a layer stores, and its lengths. */
export function load(n: number, lengths: readonly number[], seed: number): Command {
  return command(`load(${n}, ${lengths.join()})`, (model, real) => {
    const { capacity, paged } = model.setup;
    const layer = layerOf(model, n);
    const { setup } = model.layers[layer]!;
    const kvLens = lengths.map((kvLen) => kvLen % (capacity + 1));
    const rows = newRows(seed, capacity, setup);
    const isRefused = paged !== undefined || setup.ring !== undefined;
    const { k, v, kBytes, vBytes } = real.cache.layout.perLayer[layer]!;
    const stored = isRefused
      ? { k: new Uint8Array(kBytes), v: new Uint8Array(vBytes) }
      : { k: encodeRows(k, rows.k), v: encodeRows(v, rows.v) };
    return carryOut(real, {
      name: 'load',
      error: model.cacheError() ?? (isRefused ? ShapeError : undefined),
      act: () => real.cache.load({ layer, ...stored, kvLens }),
      apply: () => model.layers[layer]!.load(rows, kvLens),
    });
  });
}

/** What becomes of a sequence in a table: more tokens, none, a beginning of another's, all of another's, any pages. */
export type Change = 'grow' | 'drop' | 'share' | 'move' | 'any';

export interface TableChange {
  readonly kind: Change;
  readonly other: number;
  readonly tokens: number;
  readonly newTokens: number;
}

/** What is wrong with a table. */
export type TableFault = 'a page twice' | 'no such page' | 'too full a page' | 'new tokens' | 'indptr';

/** A table, and how many tokens of each sequence are new. */
interface Table {
  readonly table: { readonly [field in keyof CallerPages]: number[] };
  readonly news: number[];
}

/** A table of the caller's, from the one that there is. */
function tableOf(model: CacheModel, changes: readonly TableChange[], seed: number): Table {
  const { pageSize, pages, capacity } = model.pages!.sizes;
  const { lists } = model.pages!;
  const next = uniform(seed);
  const held = new Set(lists.flat());
  const every = shuffled(
    Array.from({ length: pages }, (_, page) => page),
    next,
  );
  const free = every.filter((page) => !held.has(page));
  const longest = model.longest();
  const made = changes.map(({ kind, other, tokens, newTokens }, b) => {
    const grown = (list: readonly number[], wanted: number) => {
      const all = [...list];
      const total = Math.min(capacity, wanted);
      while (all.length * pageSize < total && free.length > 0) all.push(free.pop()!);
      const filled = Math.min(total, all.length * pageSize);
      return { list: all.slice(0, Math.ceil(filled / pageSize)), total: filled, newTokens };
    };
    const full = Math.floor(longest[other]! / pageSize);
    if (kind === 'grow') return grown(lists[b]!, longest[b]! + tokens);
    if (kind === 'drop') return grown([], 0);
    if (kind === 'share') return grown(lists[other]!.slice(0, full), full * pageSize + tokens);
    if (kind === 'move') return { ...grown(lists[other]!, longest[other]!), newTokens: 0 };
    return grown(shuffled(every, next).slice(0, Math.ceil(tokens / pageSize)), tokens);
  });
  const indptr = [0];
  for (const { list } of made) indptr.push(indptr.at(-1)! + list.length);
  const lastPageLen = made.map(({ list, total }) => (total === 0 ? 0 : total - (list.length - 1) * pageSize));
  const news = made.map((each) => Math.min(each.total, each.newTokens));
  return { table: { indptr, indices: made.flatMap(({ list }) => list), lastPageLen }, news };
}

const FAULTS: Readonly<Record<TableFault, (table: Table, pages: number) => void>> = {
  'a page twice': ({ table: { indices } }) => indices.fill(indices[0] ?? 0),
  'no such page': ({ table: { indices } }, pages) => indices.splice(0, 1, pages),
  'too full a page': ({ table: { lastPageLen } }) => (lastPageLen[0]! += 5),
  'new tokens': ({ news }) => (news[1]! += 20),
  indptr: ({ table: { indptr } }) => (indptr[1] = indptr.at(-1)! + 1),
};

/** Says which pages sequences have. */
export function setPages(
  changes: readonly TableChange[],
  fault: TableFault | undefined,
  seed: number,
): Command {
  const text = changes.map(({ kind, other, tokens, newTokens }) => `${kind} ${other} ${tokens} ${newTokens}`);
  const run = (model: CacheModel, real: RealCache) => {
    // Other caches take none, not even that of no tokens.
    const none: Table = {
      table: { indptr: [0, 0, 0, 0], indices: [], lastPageLen: [0, 0, 0] },
      news: [0, 0, 0],
    };
    const made = model.isCallers ? tableOf(model, changes, seed) : none;
    if (fault) FAULTS[fault](made, model.pages?.sizes.pages ?? 0);
    const { table, news: newTokens } = made;
    const error = model.cacheError();
    const kvLens = error ? undefined : model.pages?.set(table, newTokens);
    return carryOut(real, {
      name: model.isCallers ? 'setPages' : 'setPages of another cache',
      error: error ?? (kvLens ? undefined : ShapeError),
      act: () => real.cache.setPages(table, { newTokens }),
      apply: () => {
        for (const layer of model.layers) {
          layer.lens = [...kvLens!];
          layer.written = [...kvLens!];
        }
      },
    });
  };
  // Other caches refuse all: now and then is enough.
  return command(
    `setPages(${text.join(', ')}, ${fault ?? ''})`,
    run,
    (model) => model.isCallers || seed % 4 === 0,
  );
}

/** The step of an engine that allocates pages itself: a table with room for a step's tokens, then the step. */
export function stepOfCaller(seed: number): Command {
  const run = async (model: CacheModel, real: RealCache) => {
    const { qLen } = model.setup;
    const more: TableChange = { kind: 'grow', other: 0, tokens: qLen, newTokens: qLen };
    await setPages(
      ALL.map(() => more),
      undefined,
      seed,
    ).run(model, real);
    const next = step(seed);
    if (next.check(model)) await next.run(model, real);
  };
  return command('stepOfCaller()', run, (model) => model.isCallers);
}

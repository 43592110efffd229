// cacheCommands.ts: calls of a KV cache and its decoder, each as it changes the model and as the real ones are called.
import fc from 'fast-check';
import { encodeRows, readBack, ShapeError, uploadStorage } from '../../src/index.ts';
import { expectClose } from './attend.ts';
import { CACHE, evenCounts, LAYERS, newRows, type CacheModel } from './cacheModel.ts';
import { carryOut, expectLengths, type RealCache } from './realCache.ts';

export type Command = fc.AsyncCommand<CacheModel, RealCache>;

/** A command after which the lengths of the cache must be the model's, whether it was done or refused. */
export function command(
  text: string,
  run: (model: CacheModel, real: RealCache) => Promise<unknown>,
  check: (model: CacheModel) => boolean = () => true,
): Command {
  return {
    toString: () => text,
    check: (model) => check(model),
    run: async (model, real) => {
      await run(model, real);
      expectLengths(model, real);
    },
  };
}

type Rows = Float32Array<ArrayBuffer>;

/** Rows to append, and how many of them each sequence takes: all where that is left out. */
interface Taken {
  readonly rows: number;
  readonly counts: readonly number[] | undefined;
}

/** Appends to a layer, from buffers of their own; all are called before the first is awaited. */
function append(layer: number, appends: readonly Taken[], seed: number): Command {
  const text = appends.map(({ rows, counts }) => (counts ? `${rows}: ${counts.join()}` : rows)).join('; ');
  return command(`append(${layer}, ${text})`, async (model, real) => {
    const rows = appends.map(({ rows: count }, i) => ({
      k: newRows(seed + 2 * i, count),
      v: newRows(seed + 2 * i + 1, count),
    }));
    const settled = await Promise.allSettled(
      rows.map(async ({ k, v }, i) => {
        const { rows: numTokens, counts } = appends[i]!;
        // A lost device makes no buffers; the cache says so before it looks at any.
        const upload = (values: Rows) => (model.isLost ? real.k : uploadStorage(real.device, 'rows', values));
        const buffers = { k: upload(k), v: upload(v) };
        await real.cache.append({ layer, numTokens, ...buffers }, counts && { numTokens: counts });
      }),
    );
    for (const [i, outcome] of settled.entries()) {
      const { rows: numTokens, counts } = appends[i]!;
      await carryOut(real, {
        name: counts ? 'ragged append' : 'append',
        error: model.cacheError() ?? model.roomError(layer, counts ?? numTokens),
        act: () => {
          if (outcome.status === 'rejected') throw outcome.reason;
        },
        apply: () => model.layers[layer]!.append(rows[i]!.k, rows[i]!.v, numTokens, counts),
      });
    }
  });
}

/** A step of an engine: append and decode of all layers in one encoder. */
function step(seed: number): Command {
  const run = async (model: CacheModel, real: RealCache) => {
    const { qLen } = model.setup;
    const [k, v] = [newRows(seed, qLen), newRows(seed + 1, qLen)];
    const kvLens = model.stepLens();
    let q: Rows;
    const isDone = await carryOut(real, {
      name: 'step',
      error: model.decoderError() ?? model.roomError(0, qLen),
      act: () => {
        q = real.newQueries(seed + 2);
        real.newTokens(k, v);
        real.step(kvLens);
      },
      apply: () => model.layers.forEach((layer) => layer.append(k, v, qLen)),
    });
    if (!isDone) return;
    for (let layer = 0; layer < LAYERS; layer++) await expectOutput(model, real, layer, kvLens, q!);
  };
  // Where the first layer takes its tokens and another does not, the first one's are counted: `abandon` is about those.
  return command(
    'step()',
    run,
    (model) => !!(model.decoderError() ?? model.roomError(0, model.setup.qLen)) || model.canStep(),
  );
}

async function expectOutput(
  model: CacheModel,
  { device, outputs }: RealCache,
  layer: number,
  kvLens: readonly number[],
  q: Rows,
): Promise<void> {
  const { o, lse } = outputs[layer]!;
  const [gotO, gotLse] = await Promise.all([readBack(device, o), readBack(device, lse)]);
  expectClose(model.problem(layer, kvLens, q), new Float32Array(gotO), new Float32Array(gotLse));
}

/** Attends to a layer's tokens but for the last `spare`; where that is negative, to more than it has. */
function decode(layer: number, spare: readonly number[], seed: number): Command {
  return command(`decode(${layer}, ${spare.join()})`, async (model, real) => {
    const { lens } = model.layers[layer]!;
    const kvLens = lens.map((kvLen, b) => Math.min(CACHE.capacity, Math.max(0, kvLen - spare[b]!)));
    const exceeds = kvLens.some((kvLen, b) => kvLen > lens[b]!);
    let q: Rows;
    const isDone = await carryOut(real, {
      name: 'decode',
      error: model.decoderError() ?? (exceeds ? ShapeError : undefined),
      act: () => {
        const plan = real.decoder.plan({ kvLens });
        q = real.newQueries(seed);
        real.steps[layer]!.run(plan);
      },
    });
    if (isDone) await expectOutput(model, real, layer, kvLens, q!);
  });
}

/** Keeps so many tokens of each sequence, in all layers. */
function truncate(kept: readonly number[]): Command {
  return command(`truncate(${kept.join()})`, (model, real) => {
    const fits = model.layers.every(({ lens }) => lens.every((kvLen, b) => kvLen >= kept[b]!));
    return carryOut(real, {
      name: 'truncate',
      error: model.cacheError() ?? (fits ? undefined : ShapeError),
      act: () => real.cache.truncate(kept),
      apply: () => model.layers.forEach((each) => (each.lens = [...kept])),
    });
  });
}

/** Keeps so many tokens of one sequence, in all layers; none by `reset`. */
function truncateOne(b: number, kvLen: number): Command {
  return command(kvLen === 0 ? `reset(${b})` : `truncate(${kvLen}, ${b})`, (model, real) => {
    const fits = model.layers.every(({ lens }) => lens[b]! >= kvLen);
    return carryOut(real, {
      name: kvLen === 0 ? 'reset' : 'truncate of one',
      error: model.cacheError() ?? (fits ? undefined : ShapeError),
      act: () => (kvLen === 0 ? real.cache.reset(b) : real.cache.truncate(kvLen, { sequence: b })),
      apply: () => model.layers.forEach(({ lens }) => (lens[b] = kvLen)),
    });
  });
}

/** A sequence becomes a copy of another one. */
function fork(from: number, to: number): Command {
  return command(`fork(${from}, ${to})`, (model, real) =>
    carryOut(real, {
      name: 'fork',
      error: model.cacheError() ?? (from === to ? ShapeError : undefined),
      act: () => real.cache.fork(from, to),
      apply: () => model.fork(from, to),
    }),
  );
}

/** One submission: an append to a layer, a fork of what that made, and an append to one of the two. */
function joined(layer: number, from: number, to: number, seed: number): Command {
  const run = async (model: CacheModel, real: RealCache) => {
    const { qLen } = model.setup;
    const [k, v] = [newRows(seed, qLen), newRows(seed + 1, qLen)];
    const last = evenCounts(0).map((_, b) => (b === to ? 1 : 0));
    await carryOut(real, {
      name: 'recorded fork',
      error: undefined,
      act: () => {
        real.newTokens(k, v);
        const encoder = real.device.gpu.createCommandEncoder();
        real.appends[layer]!.record(encoder);
        real.cache.recordFork(encoder, from, to);
        real.appends[layer]!.record(encoder, { numTokens: last });
        real.device.gpu.queue.submit([encoder.finish()]);
      },
      apply: () => {
        model.layers[layer]!.append(k, v, qLen);
        model.fork(from, to);
        model.layers[layer]!.append(k, v, qLen, last);
      },
    });
  };
  return command(
    `joined(${layer}, ${from}, ${to})`,
    run,
    (model) => !model.cacheError() && from !== to && !model.roomError(layer, model.setup.qLen + 1),
  );
}

/** Saves a sequence, or all of them. */
function snapshot(sequence: number | undefined): Command {
  return command(`snapshot(${sequence ?? ''})`, (model, real) =>
    carryOut(real, {
      name: 'snapshot',
      error: model.cacheError(),
      act: async () => {
        real.saved = await real.cache.snapshot(sequence === undefined ? {} : { sequence });
      },
      apply: () => model.save(sequence === undefined ? evenCounts(0).map((_, b) => b) : [sequence]),
    }),
  );
}

/** Restores what was saved last; a sequence to another place. */
function restore(sequence: number): Command {
  const run = (model: CacheModel, real: RealCache) => {
    const isOne = model.saved!.sequences.length === 1;
    return carryOut(real, {
      name: 'restore',
      error: model.cacheError(),
      act: () => real.cache.restore(real.saved!, isOne ? { sequence } : {}),
      apply: () => model.restore(isOne ? sequence : undefined),
    });
  };
  return command(`restore(${sequence})`, run, ({ saved }) => saved !== undefined);
}

/** Replaces what a layer stores, and its lengths. */
function load(layer: number, kvLens: readonly number[], seed: number): Command {
  return command(`load(${layer}, ${kvLens.join()})`, (model, real) => {
    const [k, v] = [newRows(seed, CACHE.capacity), newRows(seed + 1, CACHE.capacity)];
    const { layout } = real.cache;
    const { pageSize } = real.setup;
    const stored = pageSize
      ? { k: new Uint8Array(layout.kBytes), v: new Uint8Array(layout.vBytes) }
      : { k: encodeRows(layout.k, k), v: encodeRows(layout.v, v) };
    return carryOut(real, {
      name: 'load',
      error: model.cacheError() ?? (pageSize ? ShapeError : undefined),
      act: () => real.cache.load({ layer, ...stored, kvLens }),
      apply: () => model.layers[layer]!.load(k, v, kvLens),
    });
  });
}

/** A step whose second layer is refused, or whose encoder is lost: the tokens that were counted come back by truncate. */
function abandon(): Command {
  const run = (model: CacheModel, real: RealCache) => {
    const { lens } = model.layers[0]!;
    return carryOut(real, {
      name: 'abandon',
      error: model.cacheError(),
      act: () => {
        real.appends[1]!.record(real.device.gpu.createCommandEncoder());
        real.cache.truncate(lens);
      },
      apply: () => void model.layers[1]!.recorded++,
    });
  };
  return command('abandon()', run, (model) => {
    const [first, second] = model.layers.map(({ lens }) => lens.join());
    return first === second && !model.roomError(1, model.setup.qLen);
  });
}

const layers = fc.nat(LAYERS - 1);
const sequences = fc.nat(CACHE.batch - 1);
const seeds = fc.integer({ min: 1, max: 1e6 });
const each = <T>(one: fc.Arbitrary<T>) =>
  fc.array(one, { minLength: CACHE.batch, maxLength: CACHE.batch, size: 'max' });
const lengths = each(fc.nat(CACHE.capacity));
const spares = each(fc.integer({ min: -1, max: 4 })).map(([first, ...rest]) => [
  first!,
  ...rest.map((spare) => Math.max(0, spare)),
]);
const taken = fc
  .record({ rows: fc.integer({ min: 1, max: 4 }), counts: fc.option(each(fc.nat(4)), { nil: undefined }) })
  .map(({ rows, counts }) => ({ rows, counts: counts?.map((count) => Math.min(rows, count)) }));
const appends = fc.array(taken, { minLength: 1, maxLength: 2 });

/** The calls that a caller makes in any order. */
export const CALLS: readonly fc.Arbitrary<Command>[] = [
  fc.tuple(layers, appends, seeds).map((args) => append(...args)),
  seeds.map(step),
  seeds.map(step),
  fc.tuple(layers, spares, seeds).map((args) => decode(...args)),
  lengths.map((kept) => truncate(kept.map((kvLen) => kvLen % 4))),
  fc.tuple(layers, lengths, seeds).map((args) => load(...args)),
  fc.constant(abandon()),
  fc.tuple(sequences, fc.nat(3)).map((args) => truncateOne(...args)),
  fc.tuple(sequences, sequences).map((args) => fork(...args)),
  fc.tuple(layers, sequences, sequences, seeds).map((args) => joined(...args)),
  fc.option(sequences, { nil: undefined }).map(snapshot),
  sequences.map(restore),
];

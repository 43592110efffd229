// cacheCommands.ts: calls of a KV cache and its decoder, each as it changes the model and as the real ones are called.
import fc from 'fast-check';
import { encodeRows, readBack, ShapeError, uploadStorage } from '../../src/index.ts';
import { expectClose } from './attend.ts';
import { CACHE, LAYERS, newRows, type CacheModel } from './cacheModel.ts';
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

/** Appends of `counts` tokens to a layer, from buffers of their own; all are called before the first is awaited. */
function append(layer: number, counts: readonly number[], seed: number): Command {
  return command(`append(${layer}, ${counts.join()})`, async (model, real) => {
    const rows = counts.map((count, i) => ({
      k: newRows(seed + 2 * i, count),
      v: newRows(seed + 2 * i + 1, count),
    }));
    const settled = await Promise.allSettled(
      rows.map(async ({ k, v }, i) => {
        // A lost device makes no buffers; the cache says so before it looks at any.
        const upload = (values: Rows) => (model.isLost ? real.k : uploadStorage(real.device, 'rows', values));
        await real.cache.append({ layer, numTokens: counts[i]!, k: upload(k), v: upload(v) });
      }),
    );
    for (const [i, outcome] of settled.entries()) {
      await carryOut(real, {
        name: 'append',
        error: model.cacheError() ?? model.roomError(layer, counts[i]!),
        act: () => {
          if (outcome.status === 'rejected') throw outcome.reason;
        },
        apply: () => model.layers[layer]!.append(rows[i]!.k, rows[i]!.v, counts[i]!),
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

/** Replaces what a layer stores, and its lengths. */
function load(layer: number, kvLens: readonly number[], seed: number): Command {
  return command(`load(${layer}, ${kvLens.join()})`, (model, real) => {
    const [k, v] = [newRows(seed, CACHE.capacity), newRows(seed + 1, CACHE.capacity)];
    const { layout } = real.cache;
    const stored = { k: encodeRows(layout.k, k), v: encodeRows(layout.v, v) };
    return carryOut(real, {
      name: 'load',
      error: model.cacheError(),
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
const seeds = fc.integer({ min: 1, max: 1e6 });
const lengths = fc.tuple(fc.nat(CACHE.capacity), fc.nat(CACHE.capacity));
const spares = fc.tuple(fc.integer({ min: -1, max: 4 }), fc.integer({ min: 0, max: 4 }));
const counts = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 2 });

/** The calls that a caller makes in any order. */
export const CALLS: readonly fc.Arbitrary<Command>[] = [
  fc.tuple(layers, counts, seeds).map((args) => append(...args)),
  seeds.map(step),
  seeds.map(step),
  fc.tuple(layers, spares, seeds).map((args) => decode(...args)),
  lengths.map(([a, b]) => truncate([a % 4, b % 4])),
  fc.tuple(layers, lengths, seeds).map((args) => load(...args)),
  fc.constant(abandon()),
];

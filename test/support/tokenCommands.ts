// tokenCommands.ts: calls that append tokens to a KV cache and attend to them, each as it changes the model and as the real ones are called.
import { readBack, uploadStorage } from '../../src/index.ts';
import { expectClose } from './attend.ts';
import { command, type Command } from './cacheCommand.ts';
import { newRows, type CacheModel, type PlanModel } from './cacheModel.ts';
import { ALL, even, type Rows } from './layerModel.ts';
import { carryOut, type RealCache } from './realCache.ts';

/** Rows to append, and how many of them each sequence takes: all where that is left out. */
export interface Taken {
  readonly rows: number;
  readonly counts: readonly number[] | undefined;
}

/** A layer of the model by a number that may be larger. */
export const layerOf = ({ layers }: CacheModel, n: number) => n % layers.length;

/** Appends to a layer, or to all of them, from buffers of their own. */
export function append(n: number | undefined, appends: readonly Taken[], seed: number): Command {
  const text = appends.map(({ rows, counts }) => (counts ? `${rows}: ${counts.join()}` : rows)).join('; ');
  return command(`append(${n ?? 'all'}, ${text})`, async (model, real) => {
    const layers = n === undefined ? [...model.layers.keys()] : [layerOf(model, n)];
    for (const layer of layers) await appendTo(layer, appends, seed)(model, real);
  });
}

/** All are called before the first is awaited. */
function appendTo(layer: number, appends: readonly Taken[], seed: number) {
  return async (model: CacheModel, real: RealCache): Promise<void> => {
    const { setup } = model.layers[layer]!;
    const all = appends.map(({ rows }, i) => newRows(seed + 2 * i, rows, setup));
    const uploaded: GPUBuffer[] = [];
    const upload = (values: Rows) => {
      // A lost device makes no buffers; the cache says so before it looks at any.
      if (model.isLost) return real.layers[layer]!.k;
      uploaded.push(uploadStorage(real.device, 'rows', values));
      return uploaded.at(-1)!;
    };
    const settled = await Promise.allSettled(
      all.map(async ({ numTokens, k, v }, i) => {
        const { counts } = appends[i]!;
        const buffers = { k: upload(k), v: upload(v) };
        await real.cache.append({ layer, numTokens, ...buffers }, counts && { numTokens: counts });
      }),
    );
    for (const buffer of uploaded) buffer.destroy();
    for (const [i, outcome] of settled.entries()) {
      const { rows, counts } = appends[i]!;
      await carryOut(real, {
        name: counts ? 'ragged append' : 'append',
        error: model.cacheError() ?? model.reserve(layer, counts ?? even(rows), rows),
        act: () => {
          if (outcome.status === 'rejected') throw outcome.reason;
        },
        apply: () => model.layers[layer]!.append(all[i]!, counts),
      });
    }
  };
}

/** A step of an engine: append and decode of all layers in one encoder. */
export function step(seed: number): Command {
  const run = async (model: CacheModel, real: RealCache) => {
    const qLens = even(model.setup.qLen);
    const kvLens = model.stepLens();
    const rows = model.layers.map(({ setup }, layer) => newRows(seed + 3 * layer, model.setup.qLen, setup));
    let queries: readonly Rows[];
    const isDone = await carryOut(real, {
      name: 'step',
      error: model.decoderError() ?? model.trial().planFor(0, kvLens, qLens),
      act: () => {
        queries = rows.map((_, layer) => real.newQueries(layer, seed + 3 * layer + 2));
        rows.forEach((each, layer) => real.newTokens(layer, each));
        real.step(kvLens);
      },
      apply: () => {
        model.pages?.reserve(model.shortest(), kvLens);
        model.layers.forEach((each, layer) => {
          model.reserve(layer, qLens);
          each.append(rows[layer]!);
        });
      },
    });
    if (!isDone) return;
    for (const layer of rows.keys()) {
      await expectOutput(model, real, { layer, kvLens, qLens, versions: undefined }, queries![layer]!);
    }
  };
  // Where one layer takes its tokens and another does not, the first one's are counted: `abandon` is about those.
  return command(
    'step()',
    run,
    (model) =>
      !!(model.decoderError() ?? model.trial().planFor(0, model.stepLens(), even(model.setup.qLen))) ||
      model.canStep(),
  );
}

async function expectOutput(model: CacheModel, real: RealCache, plan: PlanModel, q: Rows): Promise<void> {
  const { o, lse } = real.layers[plan.layer]!;
  const [gotO, gotLse] = await Promise.all([readBack(real.device, o), readBack(real.device, lse)]);
  expectClose(model.problem(plan, q), new Float32Array(gotO), new Float32Array(gotLse));
}

/** Attends to a layer's tokens but for the last `spare`; where that is negative, to more than it has. */
export function decode(
  n: number,
  spare: readonly number[],
  queries: readonly number[] | undefined,
  seed: number,
): Command {
  return command(`decode(${n}, ${spare.join()}, ${queries?.join()})`, async (model, real) => {
    const layer = layerOf(model, n);
    const { capacity, qLen } = model.setup;
    const { lens } = model.layers[layer]!;
    const kvLens = lens.map((kvLen, b) => Math.min(capacity, Math.max(0, kvLen - spare[b]!)));
    const qLens = even(qLen).map((most, b) => (queries ? queries[b]! % (most + 1) : most));
    let q: Rows;
    const isDone = await carryOut(real, {
      name: 'decode',
      error: model.decoderError() ?? model.planFor(layer, kvLens, qLens) ?? model.runError(model.plan!),
      act: () => {
        const plan = real.newPlan({ layer, kvLens, qLens });
        q = real.newQueries(layer, seed);
        real.steps[layer]!.run(plan);
      },
    });
    if (isDone) await expectOutput(model, real, model.plan!, q!);
  });
}

/** Runs the plan that was made last again. */
export function decodeAgain(seed: number): Command {
  const run = async (model: CacheModel, real: RealCache) => {
    const plan = model.plan!;
    let q: Rows;
    const isDone = await carryOut(real, {
      name: 'decode of an old plan',
      error: model.decoderError() ?? model.runError(plan),
      act: () => {
        q = real.newQueries(plan.layer, seed);
        real.steps[plan.layer]!.run(real.plan!);
      },
    });
    if (isDone) await expectOutput(model, real, plan, q!);
  };
  return command('decodeAgain()', run, ({ plan, isLost }) => plan !== undefined && !isLost);
}

/** One submission: an append to a layer, a fork of what that made, and an append to one of the two. */
export function joined(n: number, from: number, to: number, seed: number): Command {
  const last = ALL.map((b) => (b === to ? 1 : 0));
  const run = async (model: CacheModel, real: RealCache) => {
    const layer = layerOf(model, n);
    const each = model.layers[layer]!;
    const rows = newRows(seed, model.setup.qLen, each.setup);
    await carryOut(real, {
      name: 'recorded fork',
      error: undefined,
      act: () => {
        real.newTokens(layer, rows);
        const encoder = real.device.gpu.createCommandEncoder();
        real.appends[layer]!.record(encoder);
        real.cache.recordFork(encoder, from, to);
        real.appends[layer]!.record(encoder, { numTokens: last });
        real.device.gpu.queue.submit([encoder.finish()]);
      },
      apply: () => {
        model.reserve(layer, even(rows.numTokens));
        each.append(rows);
        model.fork(from, to);
        model.reserve(layer, last);
        each.append(rows, last);
      },
    });
  };
  return command(`joined(${n}, ${from}, ${to})`, run, (model) => {
    if (model.cacheError() || model.isCallers || from === to) return false;
    const trial = model.trial();
    const layer = layerOf(model, n);
    const counts = even(model.setup.qLen);
    if (trial.reserve(layer, counts)) return false;
    trial.layers[layer]!.grow(counts);
    trial.fork(from, to);
    return !trial.reserve(layer, last);
  });
}

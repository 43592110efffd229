// lostCommands.ts: appends to a KV cache whose encoders are lost, and how their tokens come back; as they change the model and as the real ones are called.
import { uploadStorage } from '../../src/index.ts';
import { command, type Command } from './cacheCommand.ts';
import { newRows, type CacheModel } from './cacheModel.ts';
import { ALL, even, type TokenRows } from './layerModel.ts';
import { carryOut, type RealCache } from './realCache.ts';
import { layerOf } from './tokenCommands.ts';

/** Records an append of a layer into an encoder that is never submitted. */
function recordLost(model: CacheModel, real: RealCache, layer: number, numTokens: readonly number[]): void {
  const recorded = () => model.layers.map((_, i) => real.cache.lengths.appends(i));
  const before = recorded();
  real.appends[layer]!.record(real.device.gpu.createCommandEncoder(), { numTokens });
  // In a cache of several segments it is several, and copies of pages are some in all layers.
  recorded().forEach((count, i) => (model.layers[i]!.missing += count - before[i]!));
}

/** An append whose encoder is lost: the tokens that were counted come back by truncate. */
export function abandon(n: number): Command {
  const lose = (model: CacheModel, layer: number) => {
    const kept = model.shortest();
    const counts = even(model.setup.qLen);
    const error = model.reserve(layer, counts);
    if (error) return error;
    model.layers[layer]!.grow(counts);
    return model.cut(ALL, kept);
  };
  const run = async (model: CacheModel, real: RealCache) => {
    const layer = layerOf(model, n);
    const kept = model.shortest();
    await carryOut(real, {
      name: 'abandon',
      error: model.cacheError(),
      act: () => {
        recordLost(model, real, layer, even(model.setup.qLen));
        real.cache.truncate(kept);
      },
      apply: () => void lose(model, layer),
    });
  };
  return command(
    `abandon(${n})`,
    run,
    (model) => !!model.cacheError() || !lose(model.trial(), layerOf(model, n)),
  );
}

const only = (b: number, count: number) => ALL.map((each) => (each === b ? count : 0));

/** Sequences: one becomes a fork of another and loses an append, one of the two goes, the third is appended to. */
export interface Late {
  readonly from: number;
  readonly lost: number;
  readonly gone: number;
  readonly grown: number;
}

/** Tokens of that append: of pages a new one at least. */
const moreOf = ({ setup: { paged } }: CacheModel) => (paged ? paged.pageSize + 1 : 1);

/**
 * What becomes of the model: the lengths that all layers are cut to at the end, or nothing where something is refused on the way.
 * Without rows for a trial.
 */
function loseLate(model: CacheModel, layer: number, { from, lost, gone, grown }: Late, rows?: TokenRows) {
  const more = only(grown, moreOf(model));
  const each = model.layers[layer]!;
  if (!model.isCallers) model.fork(from, lost);
  const good = each.lens[lost]!;
  const counts = only(lost, model.setup.qLen);
  if (model.reserve(layer, counts)) return undefined;
  each.grow(counts);
  // Pages that a lost copy is of are taken last: where there are others.
  if (model.pages && !model.isCallers && model.pages.free < 3) return undefined;
  const isRefused = model.cut([gone], [0]) ?? model.reserve(layer, more);
  if (isRefused) return undefined;
  if (rows) each.append(rows, more);
  else each.grow(more);
  const kept = model
    .shortest()
    .map((kvLen, b) => (b === lost && gone !== lost ? Math.min(kvLen, good) : kvLen));
  return model.cut(ALL, kept) ? undefined : kept;
}

/** It is noticed only then: the tokens that were counted come back by truncate, and no sequence has lost or got rows. */
export function abandonLate(n: number, late: Late, seed: number): Command {
  const { from, lost, gone, grown } = late;
  const run = async (model: CacheModel, real: RealCache) => {
    const layer = layerOf(model, n);
    const numTokens = moreOf(model);
    const rows = newRows(seed, numTokens, model.layers[layer]!.setup);
    await carryOut(real, {
      name: 'late abandon',
      error: undefined,
      act: async () => {
        if (!model.isCallers) await real.cache.fork(from, lost);
        recordLost(model, real, layer, only(lost, model.setup.qLen));
        real.cache.reset(gone);
        const [k, v] = [rows.k, rows.v].map((values) => uploadStorage(real.device, 'rows', values));
        const counts = { numTokens: only(grown, numTokens) };
        await real.cache.append({ layer, k: k!, v: v!, numTokens }, counts);
        for (const buffer of [k!, v!]) buffer.destroy();
        real.cache.truncate(loseLate(model, layer, late, rows)!);
      },
    });
  };
  return command(
    `abandonLate(${n}, ${Object.values(late).join()})`,
    run,
    (model) => !model.cacheError() && loseLate(model.trial(), layerOf(model, n), late) !== undefined,
  );
}

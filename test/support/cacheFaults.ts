// cacheFaults.ts: what goes wrong with a cache and its decoder: wrong calls, destroyed objects, a lost device.
import fc from 'fast-check';
import { expect } from 'vitest';
import {
  createDecoder,
  createKvCache,
  DeviceLostError,
  readBack,
  ShapeError,
  uploadStorage,
} from '../../src/index.ts';
import { command, type Command } from './cacheCommand.ts';
import type { CacheModel } from './cacheModel.ts';
import { BATCH, cacheOptions, Q_HEADS } from './cacheSetup.ts';
import { failure } from './failure.ts';
import { even } from './layerModel.ts';
import { carryOut, type RealCache } from './realCache.ts';

type Call = (real: RealCache) => unknown;

const fit = ({ layers }: RealCache) => ({ k: layers[0]!.k, v: layers[0]!.v });
const plan = ({ decoders }: RealCache, kvLens: readonly number[]) => decoders[0]!.plan({ kvLens });
const beyond = ({ setup }: RealCache) => setup.capacity + 1;

/** Calls of the cache that no state of it makes right. */
const OF_CACHE: Readonly<Record<string, Call>> = {
  'append without tokens': (real) => real.cache.append({ ...fit(real), numTokens: 0 }),
  'append of more than there is room for': (real) =>
    real.cache.append({ ...fit(real), numTokens: beyond(real) }),
  'append to a layer that is not there': (real) =>
    real.cache.append({ ...fit(real), layer: real.layers.length }),
  'append of too few rows': (real) => real.cache.append({ ...fit(real), numTokens: real.setup.qLen + 1 }),
  'append of rows of K alone': (real) => real.cache.append({ k: fit(real).k } as never),
  'one layer of a list': (real) =>
    real.cache.bindAppends([{ ...fit(real), numTokens: real.setup.qLen }, {} as never]),
  'truncate with one length': (real) => real.cache.truncate([0]),
  'truncate to less than nothing': (real) => real.cache.truncate(-1),
  'truncate to half a token': (real) => real.cache.truncate([0, 0.5, 0]),
  'truncate to more than there can be': (real) => real.cache.truncate(beyond(real)),
  'truncate of a sequence that is not there': (real) => real.cache.truncate(0, { sequence: BATCH }),
  'reset of a sequence that is not there': (real) => real.cache.reset(BATCH),
  'fork from a sequence that is not there': (real) => real.cache.fork(-1, 0),
  'fork to itself': (real) => real.cache.fork(1, 1),
  'restore of nothing': (real) => real.cache.restore({ tensors: [], metadata: {} }),
  'append of more tokens than rows': (real) =>
    real.cache.append(
      { ...fit(real), numTokens: real.setup.qLen },
      { numTokens: [0, real.setup.qLen + 1, 0] },
    ),
  'load of too few bytes': ({ cache }) =>
    cache.load({ k: new Uint8Array(16), v: new Uint8Array(16), kvLens: [1, 1, 1] }),
  'load of too many tokens': (real) => {
    const { kBytes, vBytes } = real.cache.layout;
    const stored = { k: new Uint8Array(kBytes), v: new Uint8Array(vBytes) };
    real.cache.load({ ...stored, kvLens: [1, beyond(real), 1] });
  },
  'lengths of a layer that is not there': ({ cache, layers }) => cache.kvLens(layers.length),
  'a table of one sequence': ({ cache }) =>
    cache.setPages({ indptr: [0, 1], indices: [0], lastPageLen: [1] }),
};

/** Calls of the decoder that no state of it makes right. */
const OF_DECODER: Readonly<Record<string, Call>> = {
  'plan of one sequence': (real) => plan(real, [1]),
  'plan of more than there can be': (real) => plan(real, [1, beyond(real), 0]),
  'plan with another option': ({ decoders }) => decoders[0]!.plan({ kvLens: [0, 0, 0], splits: 1 } as never),
  'bind of a small output': ({ decoders, layers }) =>
    decoders[0]!.bind({ q: layers[0]!.q, o: { buffer: layers[0]!.k, size: 4 } }),
  'bind of one buffer as both': ({ decoders, layers }) =>
    decoders[0]!.bind({ q: layers[0]!.q, o: layers[0]!.q }),
  'run of no plan': ({ steps }) => steps[0]!.run({} as never),
  'run of a changed plan': (real) => real.steps[0]!.run({ ...plan(real, [0, 0, 0]) }),
};

function wrong(
  name: string,
  call: Call,
  errorOf: (model: CacheModel) => ReturnType<CacheModel['cacheError']>,
): Command {
  return command(name, (model, real) =>
    carryOut(real, { name: 'wrong call', error: errorOf(model) ?? ShapeError, act: () => call(real) }),
  );
}

/** The counts of appends are the model's, and nothing else is reported. */
function idle(): Command {
  return command('idle()', async (model, real) => {
    await carryOut(real, {
      name: 'idle',
      error: model.isLost ? DeviceLostError : undefined,
      act: () => real.device.idle(),
    });
    await carryOut(real, {
      name: 'report',
      error: model.cacheError(),
      act: async () => {
        const { layers } = await real.cache.report();
        const reported = layers.map(({ appends }) => appends);
        const lost = reported.map(({ recorded, executed }) => recorded - executed);
        expect(lost).toEqual(model.layers.map(({ missing }) => missing));
        // Which forks copy pages, and when, is not the model's business, nor in how many segments appends lie.
        if (model.pages || model.setup.headsPerBinding !== undefined) return;
        expect(reported.map(({ executed }) => executed)).toEqual(model.layers.map(({ done }) => done));
      },
    });
  });
}

function destroyDecoder(): Command {
  return command('decoder.destroy()', (model, real) =>
    carryOut(real, {
      name: 'destroy',
      error: undefined,
      act: () => real.destroyDecoders(),
      apply: () => (model.hasDecoder = false),
    }),
  );
}

function destroyCache(): Command {
  return command('cache.destroy()', (model, real) =>
    carryOut(real, {
      name: 'destroy',
      error: undefined,
      act: () => real.cache.destroy(),
      apply: () => (model.hasCache = false),
    }),
  );
}

/** Another decoder of the cache, in place of the one there is. */
function newDecoder(): Command {
  return command('createDecoder()', (model, real) =>
    carryOut(real, {
      name: 'createDecoder',
      error: model.isLost ? DeviceLostError : model.cacheError(),
      act: async () => {
        if (model.isLost || model.cacheError())
          await createDecoder(real.device, { cache: real.cache, numQHeads: Q_HEADS });
        real.destroyDecoders();
        await real.createDecoders();
      },
      apply: () => {
        model.hasDecoder = true;
        model.plan = undefined;
      },
    }),
  );
}

/** Another cache and decoder, in place of a cache that was destroyed. */
function newCache(): Command {
  const run = (model: CacheModel, real: RealCache) =>
    carryOut(real, {
      name: 'createKvCache',
      error: model.isLost ? DeviceLostError : undefined,
      act: async () => {
        if (model.isLost) await createKvCache(real.device, cacheOptions(real.setup));
        real.destroyDecoders();
        await real.createCache();
        await real.createDecoders();
      },
      apply: () => model.renew(),
    });
  return command('createKvCache()', run, ({ hasCache, isLost }) => !hasCache || isLost);
}

/** The device goes while a step is on it, and a read-back, an append and idle() wait for it. */
function loseDevice(): Command {
  const run = async (model: CacheModel, real: RealCache) => {
    const { device, cache } = real;
    const { k, v, o } = real.layers[1]!;
    const rows = [k, v].map(({ size }) => uploadStorage(device, 'rows', new Float32Array(size / 4)));
    const { qLen } = model.setup;
    const trial = model.trial();
    const isStep = model.canStep();
    if (isStep)
      for (const [layer, each] of trial.layers.entries()) {
        trial.reserve(layer, even(qLen));
        each.grow(even(qLen));
      }
    const mayAppend = !(model.cacheError() ?? trial.reserve(1, even(qLen)));
    if (isStep) real.step(model.stepLens());
    const waiting = [
      readBack(device, o),
      device.idle(),
      ...(mayAppend ? [cache.append({ layer: 1, k: rows[0]!, v: rows[1]!, numTokens: qLen })] : []),
    ].map((call) => failure(DeviceLostError, () => call));
    device.gpu.destroy();
    expect(await device.lost).toMatchObject({ reason: 'destroyed' });
    await Promise.all(waiting);
    model.isLost = true;
    real.count('loss', 'done');
  };
  return command('loseDevice()', run, ({ isLost }) => !isLost);
}

/** Wrong calls, and the ends of decoders and caches. */
export const FAULTS: readonly fc.Arbitrary<Command>[] = [
  fc
    .constantFrom(...Object.entries(OF_CACHE))
    .map(([name, call]) => wrong(name, call, (model) => model.cacheError())),
  fc
    .constantFrom(...Object.entries(OF_DECODER))
    .map(([name, call]) => wrong(name, call, (model) => model.decoderError())),
  fc.constant(idle()),
  fc.constantFrom(destroyDecoder(), destroyCache()),
  fc.constant(newDecoder()),
  fc.constant(newCache()),
  fc.constant(newCache()),
];

export const LOSS: fc.Arbitrary<Command> = fc.constant(loseDevice());

// featuresRefused.test.ts: features that do not go together, are missing or not wanted, of another size, or see too much.
import { expect, test } from 'vitest';
import {
  createDecoder,
  createKvCache,
  createStorage,
  ShapeError,
  type FeatureOptions,
} from '../../src/index.ts';
import { testDevice } from '../support/device.ts';
import { message } from '../support/failure.ts';

const device = await testDevice();
const cache = await createKvCache(device, { numKvHeads: 2, headDim: 64, capacity: 20, batch: 2 });
const own = { cache, numQHeads: 4, qLen: 3 };
const decoderOf = (features: FeatureOptions) => createDecoder(device, { ...own, features });
const q = createStorage(device, 'q', 2 * 4 * 3 * 64 * 4);
const o = createStorage(device, 'o', q.size);

test.each<readonly [string, object, string]>([
  ['a window of none', { window: 0 }, 'features: window: expected a whole number'],
  ['a cap of none', { softcap: 0 }, 'features: softcap: expected a number from 1e-30 to 1e30, got 0'],
  ['a cap that is no number', { softcap: NaN }, 'got NaN'],
  ['a word', { alibi: 'yes' }, 'features: alibi: expected true or false, got "yes"'],
  ['an unknown one', { sofcap: 3 }, 'did you mean softcap?'],
  [
    'sink tokens without a window',
    { sinkTokens: 4 },
    'features: sinkTokens: expected a window beside them, got none',
  ],
  ['half a sink token', { window: 4, sinkTokens: 0.5 }, 'features: sinkTokens: expected a whole number'],
  ['trees in a window', { treeMask: true, window: 4 }, 'expected treeMask or window, got both'],
  ['a bias of two kinds', { bias: true, relativeBias: 4 }, 'expected bias or relativeBias, got both'],
  ['half a distance', { relativeBias: 0.5 }, 'features: relativeBias: expected a whole number'],
  [
    'trees biased by distance',
    { treeMask: true, relativeBias: 0 },
    'expected treeMask or relativeBias, got both',
  ],
  ['trees by distance', { treeMask: true, alibi: true }, 'expected treeMask or alibi, got both'],
])('%s', async (_, features, text) => {
  await expect(decoderOf(features)).rejects.toThrow(ShapeError);
  await expect(decoderOf(features)).rejects.toThrow(text);
});

test('a window of a decoder that is not causal', async () => {
  const refused = createDecoder(device, { ...own, causal: false, features: { window: 3 } });
  await expect(refused).rejects.toThrow('features: window: expected a causal decoder, got causal: false');
});

test('numbers of heads that are missing, too few, not wanted, or none', async () => {
  using decoder = await decoderOf({ sinkLogits: true });
  const bind = (sinkLogits?: number[]) => decoder.bind({ q, o, ...(sinkLogits && { sinkLogits }) });
  await expect(bind()).rejects.toThrow('bind: sinkLogits: expected it, as the decoder has features');
  await expect(bind([1, 2, 3])).rejects.toThrow(
    'sinkLogits: expected 4 numbers, one for each query head, got 3',
  );
  await expect(bind([1, 2, -Infinity, 4])).rejects.toThrow('sinkLogits[2]: expected a number');
  await expect(decoder.bind({ q, o, sinkLogits: [1, 2, 3, 4], alibiSlopes: [1, 2, 3, 4] })).rejects.toThrow(
    'alibiSlopes: expected a decoder that was created with features: { alibi: true }',
  );
});

test('a bias of other sizes, or with fewer keys than a step attends to', async () => {
  using decoder = await decoderOf({ bias: true });
  const buffer = createStorage(device, 'bias', 4 * 7 * 4);
  const bind = (...shape: [number, number, number, number]) =>
    decoder.bind({ q, o, bias: { buffer, shape } });
  await expect(bind(1, 3, 1, 7)).rejects.toThrow('bias: shape[1]: expected 1 or 4, got 3');
  await expect(bind(1, 4, 1, 8)).rejects.toThrow('bias: expected 128 bytes, got 112');
  await expect(decoder.bind({ q, o, bias: { buffer: o, shape: [2, 4, 3, 64] } })).rejects.toThrow(
    'o: expected a buffer of its own',
  );
  const step = await bind(1, 4, 1, 7);
  cache.load({ k: new Float32Array(2 * 2 * 20 * 64), v: new Float32Array(2 * 2 * 20 * 64), kvLens: [8, 8] });
  expect(await message(ShapeError, () => step.run(decoder.plan({ kvLens: [3, 8] })))).toContain(
    'sequence 1: expected a plan for at most the 7 keys of the bias, got 8',
  );
  buffer.destroy();
});

test('a bias by distance that is missing, not wanted, or of another size', async () => {
  using decoder = await decoderOf({ relativeBias: 2 });
  const relativeBias = createStorage(device, 'bias', 4 * 4 * 4);
  await expect(decoder.bind({ q, o })).rejects.toThrow(
    'relativeBias: expected it, as the decoder has features: { relativeBias: 2 }',
  );
  await expect(decoder.bind({ q, o, relativeBias })).rejects.toThrow(
    'relativeBias: expected 80 bytes, got 64',
  );
  using plain = await decoderOf({});
  await expect(plain.bind({ q, o, relativeBias })).rejects.toThrow(
    'relativeBias: expected a decoder that was created with features: { relativeBias: n }',
  );
  relativeBias.destroy();
});

test('trees that see later keys, are missing, too few, or not wanted', async () => {
  using decoder = await decoderOf({ treeMask: true });
  using plain = await decoderOf({});
  const kvLens = [5, 5];
  const chain = [1n, 3n, 7n];
  const refused = (treeMasks?: bigint[][]) =>
    message(ShapeError, () => decoder.plan({ kvLens, ...(treeMasks && { treeMasks }) }));
  expect(await refused()).toContain('treeMasks: expected them');
  expect(await refused([chain])).toContain('treeMasks: expected 2 entries, got 1');
  expect(await refused([chain, [1n, 3n]])).toContain('treeMasks[1]: expected 3 entries, got 2');
  expect(await refused([chain, [1n, 5n, 7n]])).toContain(
    "treeMasks[1][1]: expected no key later than position 1's own, got bit 2: the decoder is causal",
  );
  expect(await refused([chain, [1n, -1n, 7n]])).toContain(
    'treeMasks[1][1]: expected a bigint of bits, got -1n',
  );
  expect(decoder.plan({ kvLens, qLens: [0, 3], treeMasks: [[], chain] }).kvLens).toEqual(kvLens); // a sequence without positions has none
  expect(await message(ShapeError, () => plain.plan({ kvLens, treeMasks: [chain, chain] }))).toContain(
    'treeMasks: expected a decoder that was created with features: { treeMask: true }',
  );
});

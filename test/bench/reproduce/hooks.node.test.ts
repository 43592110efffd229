// hooks.node.test.ts: a run of the paper's figures as a page follows it: losses, models, a pause, finished seeds; and one that begins at a checkpoint.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { trainMultiHead, type LabText, type Original } from '../../../bench/reproduce/lab.ts';
import { reproduceOptions } from '../../../bench/reproduce/options.ts';
import { characterText, reproduce, type LabLoss, type LabTraining } from '../../../bench/reproduce/run.ts';
import type { ReproduceResult } from '../../../bench/schema/reproduceSchema.ts';
import { openDevice, type GqaDevice } from '../../../src/device/gqaDevice.ts';
import { nodeGpu } from '../../../src/node/nodeGpu.ts';
import { generatedText } from '../../../src/train/text/generatedText.ts';

const SIZE = { layers: 1, dim: 16, heads: 2, feedForward: 16, batch: 2, context: 8, steps: 24 };

const host = {
  context: { version: '0', runtime: { kind: 'node', version: '0' }, nonStandard: {} },
  adapter: 'an adapter',
};

let device: GqaDevice;
let text: LabText;
let original: Original;

beforeAll(async () => {
  const { gpu } = await nodeGpu({ adapter: 'swiftshader' });
  device = await openDevice(gpu);
  text = { ...characterText(generatedText(1, 2000), 'a text'), windows: 2 };
  const { open } = await trainMultiHead(device, SIZE, 1, text);
  original = { name: 'mine', size: SIZE, open };
});

afterAll(() => device.destroy());

function options(seeds: number[]) {
  const given = {
    original,
    text,
    windows: 2,
    seeds,
    alphas: [0, 1],
    kvHeads: [1],
    methods: ['mean'] as const,
  };
  return reproduceOptions({ ...given, times: false }, device.facts);
}

test('a checkpoint is converted and trained on, and the result says what it was', async () => {
  const { params, runs } = await reproduce(device, options([1, 2]), host);
  const { layers, dim, heads, feedForward } = SIZE;
  expect(params).toMatchObject({ size: 'mine', steps: 24, text: 'a text', windows: 2, alphas: [0, 1] });
  expect(params.model).toEqual({ layers, dim, heads, feedForward });
  expect(runs.map(({ seed }) => seed)).toEqual([1, 2]);
  // The original is measured, not trained: it and the conversion are the same for every seed, what is trained on is not.
  expect(runs[1]!.loss).toBe(runs[0]!.loss);
  expect(runs[0]!.control[0]!.loss).toBe(runs[0]!.loss);
  const [first, second] = runs.map(({ curves }) => curves[0]!.points);
  expect(second![0]).toEqual(first![0]);
  expect(second![1]).not.toEqual(first![1]);
});

test('losses, models and seeds are told as they come, and a pause changes nothing', async () => {
  const plain = await reproduce(device, options([1]), host);
  const losses: LabLoss[] = [];
  const models: LabTraining[] = [];
  const soFar: ReproduceResult[] = [];
  const shares: number[] = [];
  let waits = 0;
  const guard = {
    wait: async () => {
      waits++;
      await new Promise((later) => setTimeout(later, 5));
    },
    interrupted: () => true,
  };
  const result = await reproduce(device, options([1]), host, {
    guard,
    onLoss: (loss) => losses.push(loss),
    onModel: async (training, source) => {
      models.push(training);
      expect(source.spec.layers[0]!.attention.numKvHeads).toBe(training.kvHeads);
      expect((await source.read('model.norm.weight')).byteLength).toBe(4 * SIZE.dim);
    },
    onSeed: (seed) => soFar.push(seed),
    onProgress: (_, share) => shares.push(share),
  });
  expect(result).toEqual(plain);
  expect(soFar).toEqual([result]);
  expect(waits).toBeGreaterThan(2);
  expect(shares.at(-1)).toBe(1);
  expect(shares).toEqual(shares.toSorted((a, b) => a - b));
  const mean = { seed: 1, kvHeads: 1, method: 'mean' };
  const control = { seed: 1, kvHeads: 2 };
  expect(models).toEqual([
    { seed: 1, kvHeads: 2 },
    { ...mean, alpha: 0 },
    { ...mean, alpha: 1 },
    { ...control, alpha: 0 },
    { ...control, alpha: 1 },
  ]);
  const heldOut = losses.filter((each) => each.text === 'heldOut' && each.training.alpha === 1);
  const [{ points }] = result.runs[0]!.curves as [ReproduceResult['runs'][number]['curves'][number]];
  const ofMean = heldOut.filter(({ training }) => training.method === 'mean');
  expect(ofMean.map(({ step }) => step)).toEqual([0, 20, 24]);
  // Before the first step it is the conversion, behind the last one what the result has.
  expect(ofMean[0]!.loss).toBe(points[0]!.loss);
  expect(ofMean[2]!.loss).toBe(points[1]!.loss);
  const steps = losses.filter((each) => each.text === 'training' && each.training.method === 'mean');
  expect(steps.at(-1)!.step).toBe(24);
});

test('an abort while it waits ends it', async () => {
  const stop = new AbortController();
  const reason = new Error('stopped by hand');
  const guard = { wait: async () => stop.abort(reason), interrupted: () => false };
  await expect(reproduce(device, options([1]), host, { guard, signal: stop.signal })).rejects.toBe(reason);
});

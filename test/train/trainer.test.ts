// trainer.test.ts: trainings of a few steps: the same bits each time, from a state too; what they learn; and how they end when numbers are not finite.
import { afterEach, describe, expect, test } from 'vitest';
import { layOut } from '../../src/train/parameters.ts';
import { Trainer, type TrainerArgs, type TrainerOptions } from '../../src/train/trainer.ts';
import { testDevice } from '../support/device.ts';
import { ownDevice } from '../support/ownDevice.ts';
import { TINY_OPTIONS, tinyTraining, unigramEntropy } from './tinyTraining.ts';

const device = await testDevice();
const made: { destroy(): void }[] = [];
afterEach(() => made.splice(0).forEach((each) => each.destroy()));

async function trainer(args: TrainerArgs, options: Partial<TrainerOptions> = {}): Promise<Trainer> {
  const each = await Trainer.create(device, args, { ...TINY_OPTIONS, ...options });
  made.push(each);
  return each;
}

/** Equal bits, also of NaN and zeros of either sign. */
const bits = (values: Float32Array) => new Uint32Array(values.buffer, values.byteOffset, values.length);

describe('bits', () => {
  test('are the same in another run, and in one that goes on from a state', async () => {
    const args = tinyTraining();
    const whole = await trainer(args);
    const reports = await whole.advance(5);
    const state = await whole.state();
    expect([state.step, reports.map(({ step }) => step)]).toEqual([5, [1, 2, 3, 4, 5]]);
    const resumed = await trainer({ ...args, parameters: new Float32Array(args.parameters.length), state });
    expect(resumed.step).toBe(5);
    const again = await trainer(args);
    // Not at once, and beyond the end.
    expect([...(await again.advance(3)), ...(await again.advance(99))]).toEqual([
      ...reports,
      ...(await whole.advance(12)),
    ]);
    expect(await resumed.advance(12)).toHaveLength(7);
    const [a, b, c] = await Promise.all([whole.state(), again.state(), resumed.state()]);
    for (const other of [b, c]) {
      expect(other.step).toBe(12);
      expect(bits(other.parameters)).toEqual(bits(a.parameters));
      expect(bits(other.moments.first)).toEqual(bits(a.moments.first));
      expect(bits(other.moments.second)).toEqual(bits(a.moments.second));
    }
    expect(await whole.advance(99)).toEqual([]);
    expect(await resumed.evaluate()).toBe(await whole.evaluate());
  });

  test('another seed takes other batches', async () => {
    const [one, other] = [await trainer(tinyTraining()), await trainer(tinyTraining(), { seed: 6 })];
    expect((await one.advance(1))[0]!.loss).not.toBe((await other.advance(1))[0]!.loss);
  });
});

describe('learning', () => {
  test('one batch is learned by heart, and rows behind the vocabulary stay zeros', async () => {
    const { spec, text, parameters } = tinyTraining();
    const { batch, context } = TINY_OPTIONS;
    // One window alone, so that all batches are the same.
    const training = text.training.slice(0, context + 1);
    const options = { steps: 150, rate: 1e-2, weightDecay: 0.1, batch, context };
    const each = await trainer({ spec, text: { ...text, training }, parameters }, options);
    let loss = Infinity;
    while (each.step < 150) loss = (await each.advance(150)).at(-1)!.loss;
    expect(loss).toBeLessThan(0.1);
    const layout = layOut(spec);
    const trained = await each.model.readParameters();
    for (const { offset, rows, columns } of [layout.embedding, layout.head]) {
      const behind = trained.subarray(offset + spec.vocabSize * columns, offset + rows * columns);
      expect(spec.vocabSize % 4).not.toBe(0);
      expect(behind.length).toBe((rows - spec.vocabSize) * columns);
      expect(behind.every((value) => value === 0)).toBe(true);
    }
  });

  test('the loss comes below the entropy of single characters, on text that was held out', async () => {
    const args = tinyTraining();
    const each = await trainer(args, { steps: 160, batch: 8, rate: 1e-2, windows: 16 });
    expect(await each.evaluate()).toBeGreaterThan(unigramEntropy(args.text.training));
    while (each.step < 160) await each.advance(160);
    expect(await each.evaluate()).toBeLessThan(unigramEntropy(args.text.training) - 0.2);
  });
});

describe('numbers that are not finite', () => {
  const diverged = (message: RegExp) =>
    expect.objectContaining({ code: 'diverged', message: expect.stringMatching(message) as string });

  test('in the parameters: the first step says so, and changes nothing', async () => {
    const args = tinyTraining();
    const parameters = args.parameters.slice();
    parameters[layOut(args.spec).layers[0]!.o.weights.offset + 3] = NaN;
    const each = await trainer({ ...args, parameters });
    await expect(each.evaluate()).rejects.toEqual(diverged(/^training: step 0: loss NaN on held-out text: /));
    await expect(each.advance(3)).rejects.toEqual(diverged(/^training: step 1: loss NaN/));
    expect(bits(await each.model.readParameters())).toEqual(bits(parameters));
    await expect(each.state()).rejects.toEqual(diverged(/^training: step 1: loss NaN/));
    await expect(each.advance(3)).rejects.toEqual(diverged(/^training: step 1: loss NaN/));
  });

  test('by an enormous learning rate: the step after it says so; where there is none, the loss on held-out text', async () => {
    const each = await trainer(tinyTraining(), { rate: 1e38, schedule: 'constant', warmup: 0 });
    await expect(each.advance(5)).rejects.toEqual(
      diverged(/^training: step 2: .*norm of the gradients NaN: expected finite/),
    );
    const last = await trainer(tinyTraining(), { rate: 1e39, schedule: 'constant', warmup: 0, steps: 1 });
    await last.advance(1);
    await expect(last.evaluate()).rejects.toEqual(diverged(/^training: step 1: loss NaN on held-out text: /));
  });
});

test('a device that is lost: an error that says so, in each call', async () => {
  const own = await ownDevice();
  const each = await Trainer.create(own, tinyTraining(), TINY_OPTIONS);
  await each.advance(1);
  const running = each.advance(12);
  own.gpu.destroy();
  const lost = expect.objectContaining({ code: 'device-lost' });
  await expect(running).rejects.toEqual(lost);
  for (const call of [() => each.advance(12), () => each.evaluate(), () => each.state()])
    await expect(call()).rejects.toEqual(lost);
  each.destroy();
});

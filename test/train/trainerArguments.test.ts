// trainerArguments.test.ts: what a trainer refuses, and what its memory comes to, planned and made.
import { expect, test } from 'vitest';
import { LimitExceededError } from '../../src/device/errors.ts';
import { planTraining } from '../../src/train/allocation.ts';
import { Trainer, type TrainerOptions } from '../../src/train/trainer.ts';
import { TrainingModel } from '../../src/train/trainingModel.ts';
import { testDevice } from '../support/device.ts';
import { LiveBuffers } from '../support/liveBuffers.ts';
import { TINY_OPTIONS, tinyTraining } from './tinyTraining.ts';

const device = await testDevice();

test.each<[Partial<TrainerOptions>, string]>([
  [{ batch: 0 }, 'train: batch: expected'],
  [{ context: 0 }, 'train: context: expected'],
  [{ context: 5000 }, 'training text: expected more than 5000 tokens, a context, got 3600'],
  [{ context: 500 }, 'held-out text: expected more than 500 tokens, a context, got 400'],
  [{ steps: 0.5 }, 'train: steps: expected'],
  [{ seed: -1 }, 'train: seed: expected'],
  [{ windows: 0 }, 'train: windows: expected'],
  [{ rate: 0 }, 'learning rate: expected a positive number, got 0'],
  [{ rate: Infinity }, 'learning rate: expected a positive number'],
  [{ warmup: 1 }, 'warm-up: expected a share of the steps from 0 to less than 1, got 1'],
  [{ schedule: 'linear' as 'cosine' }, 'schedule'],
  [{ beta1: 1 }, 'train: beta1: expected a number from 0 to less than 1, got 1'],
  [{ beta2: NaN }, 'train: beta2: expected'],
  [{ eps: 0 }, 'train: eps: expected a positive number, got 0'],
  [{ weightDecay: -1 }, 'train: weightDecay'],
  [{ clip: NaN }, 'train: clip'],
])('%o is refused', async (options, message) => {
  const made = Trainer.create(device, tinyTraining(), { ...TINY_OPTIONS, ...options });
  await expect(made).rejects.toMatchObject({
    code: 'shape',
    message: expect.stringContaining(message) as string,
  });
});

test('tokens outside of the vocabulary, and numbers of another model, are refused', async () => {
  const args = tinyTraining();
  const training = args.text.training.slice();
  training[7] = args.spec.vocabSize;
  const refusal = (changed: object) =>
    expect(Trainer.create(device, { ...args, ...changed }, TINY_OPTIONS)).rejects;
  await refusal({ text: { ...args.text, training } }).toThrow(
    `training text: token ${args.spec.vocabSize} is outside of the vocabulary of ${args.spec.vocabSize}`,
  );
  const { parameters } = args;
  const few = parameters.slice(1);
  await refusal({ parameters: few }).toThrow(`expected ${parameters.length} parameters, got ${few.length}`);
  const state = { step: 1, parameters, moments: { first: parameters, second: few } };
  await refusal({ state }).toThrow(`expected ${parameters.length} moments, got ${few.length}`);
  await refusal({ state: { ...state, step: -1 } }).toThrow('steps of the state');
});

test('the memory that is planned is what is made: all but the numbers that kernels are given', async () => {
  const { spec, parameters, text } = tinyTraining({ layers: 2, kvHeads: 2 });
  const sizes = { batch: 8, context: 64 };
  for (const learns of [true, false]) {
    const planned = planTraining(spec, { ...sizes, learns }, device.facts);
    using live = new LiveBuffers(device.gpu);
    const made = learns
      ? await Trainer.create(device, { spec, parameters, text }, { ...TINY_OPTIONS, ...sizes })
      : await TrainingModel.create(device, spec, parameters, { ...sizes, learns });
    // Uniforms, rings of steps, RoPE's table, figures and sums of squares.
    const rest = live.bytes(/./) - planned.total;
    expect(rest).toBeGreaterThan(0);
    expect(rest).toBeLessThan(160 * 1024);
    expect(planned.total).toBeGreaterThan(1e6);
    expect(planned.parameters + planned.optimiser + planned.activations).toBe(planned.total);
    made.destroy();
    await device.idle(); // a cache reads its status at its end
    expect(live.labels()).toEqual({});
  }
});

test.each(['maxStorageBufferBindingSize', 'maxBufferSize'] as const)(
  'too small a %s is told by its name',
  (limit) => {
    const { spec } = tinyTraining();
    const name = limit === 'maxBufferSize' ? 'maxBufferBytes' : 'maxBindingBytes';
    const sizes = { batch: 8, context: 64, learns: true };
    const error: unknown = (() => {
      try {
        return planTraining(spec, sizes, { ...device.facts, [name]: 20_000 });
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toBeInstanceOf(LimitExceededError);
    expect(error).toMatchObject({ limit, available: 20_000 });
  },
);

// loadVariant.test.ts: a variant that shares all but its attention with another computes what it does alone.
import { afterAll, expect, test } from 'vitest';
import { randomModel } from '../../../bench/whole/randomModel.ts';
import { loadModel, loadVariant, type Model } from '../../../src/models/decoder/model.ts';
import { testDevice } from '../../support/device.ts';

const CONFIG = {
  model_type: 'llama',
  hidden_size: 32,
  intermediate_size: 48,
  num_attention_heads: 2,
  num_hidden_layers: 2,
  vocab_size: 64,
};

const models: Model[] = [];
afterAll(() => {
  for (const model of models.toReversed()) model.destroy();
});

async function logitsOf(model: Model): Promise<number[]> {
  const context = await model.createContext({ capacity: 4, kType: 'f32' });
  const all: number[] = [];
  await context.logits([[1, 2, 3]], ({ logits }) => all.push(...logits));
  context.destroy();
  return all;
}

test('the same logits, and a fraction of the bytes', async () => {
  const device = await testDevice();
  const source = (kvHeads: number) => randomModel(CONFIG, kvHeads, 'tiny', 3);
  const first = await loadModel(device, source(2));
  const beside = await loadVariant(first, source(1), {});
  const alone = await loadModel(device, source(1));
  models.push(first, beside, alone);
  expect(await logitsOf(beside)).toEqual(await logitsOf(alone));
  expect(await logitsOf(beside)).not.toEqual(await logitsOf(first));
  expect(beside.weightBytes).toBeLessThan(alone.weightBytes / 2);
  beside.destroy();
  await expect(logitsOf(first)).resolves.toHaveLength(3 * 64);
});

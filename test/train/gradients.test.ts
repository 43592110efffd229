// gradients.test.ts: losses and gradients of whole models on a device against their float64 twin.
import { afterAll, describe, expect, test } from 'vitest';
import { copyOut } from '../../src/device/buffers.ts';
import { submitted } from '../../src/device/scopes.ts';
import { wholeRange } from '../../src/train/binder.ts';
import { layOut } from '../../src/train/parameters.ts';
import { TrainingModel } from '../../src/train/trainingModel.ts';
import { readParameters, tensorsOf } from '../../src/train/weights.ts';
import { testDevice } from '../support/device.ts';
import { gradientTwin } from '../../src/train/reference/gradientTwin.ts';
import { sourceOf, TINY_NAMES, tinyModel, type TinyName } from './tinyModels.ts';

const device = await testDevice();
const made: TrainingModel[] = [];
afterAll(() => made.forEach((model) => model.destroy()));

/** A model on the device with a batch placed, and the same as the twin takes it. */
async function prepared(name: TinyName) {
  const { spec, tensors, batch } = tinyModel(name);
  const source = sourceOf(name, spec, tensors);
  const layout = layOut(spec);
  const parameters = await readParameters(layout, source);
  const sizes = { batch: batch.tokens.length, context: batch.tokens[0]!.length };
  const model = await TrainingModel.create(device, spec, parameters, { ...sizes, learns: true });
  made.push(model);
  const placed = {
    tokens: Uint32Array.from(batch.tokens.flat()),
    targets: Uint32Array.from(batch.targets.flat()),
  };
  return { spec, tensors, batch, source, layout, model, placed };
}

async function gradientsOf(model: TrainingModel): Promise<Float32Array<ArrayBuffer>> {
  await submitted(device, 'gradients', (encoder) => model.recordGradients(encoder));
  return new Float32Array(await copyOut(device, 'gradients', wholeRange(model.gradients)));
}

describe.each(TINY_NAMES)('%s', (name) => {
  test('losses and gradients are those of the twin', async () => {
    const { spec, tensors, batch, source, layout, model, placed } = await prepared(name);
    model.place(placed);
    const gradients = tensorsOf(layout, await gradientsOf(model), source);
    const twin = gradientTwin(spec, tensors, batch);
    const losses = new Float32Array(await copyOut(device, 'losses', wholeRange(model.losses)));
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    expect(Math.abs(mean - twin.loss)).toBeLessThan(2e-5);
    expect([...gradients.keys()].toSorted()).toEqual([...twin.gradients.keys()].toSorted());
    const far = [...twin.gradients].flatMap(([tensor, truth]) => {
      const norm = Math.hypot(...truth);
      const { values } = gradients.get(tensor)!;
      const off = Math.hypot(...truth.map((value, i) => value - values[i]!));
      return off <= 2e-5 * norm ? [] : [`${tensor}: ${off / norm} of its norm`];
    });
    expect(far).toEqual([]);
  });
});

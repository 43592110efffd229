// ours.ts: this project as a contestant that trains.
import { fullDescriptor } from '../../../src/device/deviceRequest.ts';
import { writeData } from '../../../src/device/buffers.ts';
import { submitted } from '../../../src/device/scopes.ts';
import { openDevice, type GqaDevice } from '../../../src/index.ts';
import { Adamw } from '../../../src/train/adamw.ts';
import { wholeRange } from '../../../src/train/binder.ts';
import { TrainingModel } from '../../../src/train/trainingModel.ts';
import { onDevice } from '../onDevice.ts';
import { quietly } from '../whole/wholeEngine.ts';
import { ADAMW, type TrainProblem } from './problem.ts';
import type { TrainEngine, Training } from './trainEngine.ts';

/** Opens a device. */
export async function openOurs(gpu: GPU): Promise<TrainEngine> {
  const device = await openDevice(gpu, { powerPreference: 'high-performance', descriptor: fullDescriptor });
  return {
    on: onDevice(device.gpu),
    load: (problem) => load(device, problem),
    close: () => device.destroy(),
  };
}

async function load(device: GqaDevice, problem: TrainProblem): Promise<Training> {
  const { spec, size, parameters, layout } = problem;
  const { batch, context } = size;
  const model = await TrainingModel.create(device, spec, parameters, { batch, context, learns: true });
  const optimiser = await Adamw.create(model, ADAMW).catch((error: unknown) => {
    model.destroy();
    throw error;
  });
  let step = 0;
  return {
    step: 'forward and backward passes, clipping and AdamW over all parameters in one submission, f32',
    restart() {
      step = 0;
      writeData(device, wholeRange(model.parameters), parameters);
      const zeros = () => new Float32Array(layout.count);
      optimiser.writeMoments({ first: zeros(), second: zeros() });
    },
    async advance(count) {
      const from = step + 1;
      for (const last = step + count; step < last;) {
        step++;
        model.place(problem.batchOf(step));
        await submitted(device, `training step ${step}`, (encoder) => {
          model.recordGradients(encoder);
          optimiser.record(encoder, { step, rate: ADAMW.rate });
        });
      }
      return (await quietly(() => optimiser.readFigures(from, step))).map(({ loss }) => loss);
    },
    release() {
      optimiser.destroy();
      model.destroy();
      device.gpu.queue.submit([]); // memory comes back with the next submission
    },
  };
}

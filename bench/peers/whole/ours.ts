// ours.ts: this project as a contestant with whole models, loaded as any other.
import { fullDescriptor } from '../../../src/device/deviceRequest.ts';
import { openDevice, type GqaDevice } from '../../../src/index.ts';
import { loadModel } from '../../../src/models.ts';
import { onDevice } from '../onDevice.ts';
import type { Llama } from './llama.ts';
import { quietly, type WholeEngine, type WholeModel } from './wholeEngine.ts';

/** Opens a device. */
export async function openOurs(gpu: GPU): Promise<WholeEngine> {
  const device = await openDevice(gpu, { powerPreference: 'high-performance', descriptor: fullDescriptor });
  return {
    on: onDevice(device.gpu),
    load: (model, capacity) => load(device, model, capacity),
    close: () => device.destroy(),
  };
}

async function load(device: GqaDevice, { sizes, source }: Llama, capacity: number): Promise<WholeModel> {
  const { type, vocab } = sizes;
  const model = await loadModel(device, source, { weightType: type });
  const release = () => {
    model.destroy();
    device.gpu.queue.submit([]); // memory comes back with the next submission
  };
  try {
    const context = await model.createContext({ capacity, kType: type });
    return {
      step: `weights and KV ${type}, arithmetic f32`,
      hold: (length) => {
        if (context.lengths[0]! > length) context.truncate(0, length);
      },
      async logits(tokens) {
        const rows: Float32Array[] = [];
        await quietly(() => context.logits([tokens], ({ logits }) => rows.push(logits.slice(0, vocab))));
        return rows;
      },
      async generate(token, count) {
        const chosen: number[] = [];
        const steps = context.generate([[token]], { maxTokens: count, stop: [], stepsPerRead: 16 });
        for (;;) {
          const next = await quietly(() => steps.next());
          if (next.done) return chosen;
          chosen.push(next.value[0]!);
        }
      },
      release() {
        context.destroy();
        release();
      },
    };
  } catch (error) {
    release();
    throw error;
  }
}

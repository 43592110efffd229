// ours.ts: this project's own kernels as a contestant: append the step's tokens, then attend.
import {
  createDecoder,
  createKvCache,
  createStorage,
  openDevice,
  readBack,
  uploadStorage,
  type BoundAppend,
  type DecodeStep,
  type GqaDevice,
  type KernelChoice,
} from '../../src/index.ts';
import { fullDescriptor } from '../../src/device/deviceRequest.ts';
import type { Attention, Engine } from './engine.ts';
import { fromElements, newTokens, tokensOfStep, withoutNewTokens, type PeerInputs } from './inputs.ts';
import { onDevice } from './onDevice.ts';

/** Opens a device for one kernel, by default the decoder's own default. */
export async function openOurs(gpu: GPU, kernel?: KernelChoice): Promise<Engine> {
  const device = await openDevice(gpu, { powerPreference: 'high-performance', descriptor: fullDescriptor });
  return {
    on: onDevice(device.gpu),
    bind: (inputs, copies) => bind(device, inputs, copies, kernel),
    close: () => device.destroy(),
  };
}

async function bind(
  device: GqaDevice,
  inputs: PeerInputs,
  copies: number,
  kernel: KernelChoice | undefined,
): Promise<Attention> {
  const { heads, kvHeads, headDim, depth, type } = inputs.shape;
  const made: { destroy(): void }[] = [];
  const keep = <T extends { destroy(): void }>(resource: T): T => {
    made.push(resource);
    return resource;
  };
  const release = () => {
    for (const resource of made.splice(0).toReversed()) resource.destroy();
    device.gpu.queue.submit([]); // memory comes back with the next submission
  };
  try {
    const cache = keep(
      await createKvCache(device, {
        numKvHeads: kvHeads,
        headDim,
        capacity: depth,
        layers: copies,
        kType: type,
      }),
    );
    const added = newTokens(inputs.shape);
    const rows = { layout: 'BLHD' } as const;
    const decoder = keep(
      await createDecoder(device, {
        cache,
        numQHeads: heads,
        qLen: added,
        q: rows,
        o: rows,
        ...(kernel && { kernel }),
      }),
    );
    const token = (stored: PeerInputs['k']) => fromElements(tokensOfStep(stored, inputs.shape));
    const q = keep(uploadStorage(device, 'q', inputs.q));
    const k = keep(uploadStorage(device, 'k', token(inputs.k)));
    const v = keep(uploadStorage(device, 'v', token(inputs.v)));
    const o = keep(createStorage(device, 'o', inputs.q.byteLength));
    const held = {
      k: withoutNewTokens(inputs.k, inputs.shape),
      v: withoutNewTokens(inputs.v, inputs.shape),
      kvLens: [depth - added],
    };
    const steps: [BoundAppend, DecodeStep][] = [];
    for (let layer = 0; layer < copies; layer++) {
      cache.load({ layer, ...held });
      const of = { layer, k, v, kRows: rows, vRows: rows, numTokens: added };
      steps.push([await cache.bindAppend(of), await decoder.bind({ layer, q, o })]);
    }
    const plan = decoder.plan({ kvLens: [depth] });
    const start = (copy: number) => {
      // All copies at once, and so once in a whole round over them.
      if (cache.kvLens(copy)[0] === depth) cache.truncate(depth - added);
      const [append, step] = steps[copy]!;
      const encoder = device.gpu.createCommandEncoder({ label: 'decode step' });
      append.record(encoder);
      step.record(encoder, plan);
      device.gpu.queue.submit([encoder.finish()]);
    };
    return {
      step: `append_kv, ${plan.dispatches.join(', ')}`,
      start,
      finish: () => device.idle(),
      output: async (copy) => {
        device.gpu.queue.writeBuffer(o, 0, new Float32Array(inputs.q.length).fill(NaN));
        start(copy);
        return new Float32Array(await readBack(device, o));
      },
      release,
    };
  } catch (error) {
    release();
    throw error;
  }
}

// onnxWeb.ts: onnxruntime-web as a contestant with whole models: caches and tokens stay in GPU buffers from step to step.
import onnxruntime from 'onnxruntime-web/webgpu';
import { BUFFER_USAGE } from '../../../src/device/usage.ts';
import { borrowDevice, readBack } from '../../../src/index.ts';
import { fromElements, type Stored } from '../inputs.ts';
import { onDevice, requireF16 } from '../onDevice.ts';
import { makeLlama, type Llama } from './llama.ts';
import { cacheDims, cacheNames, onnxLlama } from './onnxLlama.ts';
import { quietly, type WholeEngine, type WholeModel } from './wholeEngine.ts';

type Tensor = InstanceType<typeof onnxruntime.Tensor>;
type Tensors = Record<string, Tensor>;

const TINY = { layers: 1, heads: 1, kvHeads: 1, headDim: 64, mlp: 64, vocab: 64, type: 'f32' } as const;

/** The provider opens its device on `navigator.gpu` with the first session and drops it with the last: a tiny one holds it. */
export async function openOnnxWeb(): Promise<WholeEngine> {
  onnxruntime.env.logLevel = 'error';
  onnxruntime.env.wasm.numThreads = 1;
  const holder = await createSession(await makeLlama(TINY, 1), 1);
  const device = await onnxruntime.env.webgpu.device;
  return {
    on: onDevice(device),
    load: (model, capacity) => load(device, model, capacity),
    close: () => holder.release(),
  };
}

function createSession(model: Llama, capacity: number) {
  return onnxruntime.InferenceSession.create(onnxLlama(model, capacity, 'fused'), {
    executionProviders: ['webgpu'],
    logSeverityLevel: 3, // it would warn that it keeps shapes on the host
  });
}

async function load(device: GPUDevice, model: Llama, capacity: number): Promise<WholeModel> {
  const { layers, type, vocab } = model.sizes;
  requireF16('onnxruntime-web', type, device.features);
  const session = await createSession(model, capacity);
  const buffers: GPUBuffer[] = [];
  const release = async () => {
    await session.release();
    for (const buffer of buffers.splice(0)) buffer.destroy();
    device.queue.submit([]);
  };
  const make = (bytes: number) => {
    const usage = BUFFER_USAGE.STORAGE | BUFFER_USAGE.COPY_SRC | BUFFER_USAGE.COPY_DST;
    // The provider's buffers have sizes that are multiples of 16.
    const buffer = device.createBuffer({ size: Math.ceil(bytes / 16) * 16, usage });
    buffers.push(buffer);
    return buffer;
  };
  try {
    const onGpu = (buffer: GPUBuffer, dims: readonly number[], dataType = 'int32') =>
      onnxruntime.Tensor.fromGpuBuffer(buffer, { dataType, dims });
    const [pasts, presents]: [Tensors, Tensors] = [{}, {}];
    const dims = cacheDims(model, capacity);
    const [dataType, bytes] = type === 'f32' ? (['float32', 4] as const) : (['float16', 2] as const);
    for (let layer = 0; layer < layers; layer++) {
      for (const [past, present] of Object.values(cacheNames(layer))) {
        const buffer = make(dims.reduce<number>((a, b) => a * b, bytes));
        pasts[past] = presents[present] = onGpu(buffer, dims, dataType);
      }
    }
    const int32s = (values: readonly number[]) => {
      const buffer = make(values.length * 4);
      device.queue.writeBuffer(buffer, 0, Int32Array.from(values));
      return buffer;
    };
    // Of every length that there can be: nothing is uploaded in a step.
    const lengths = Array.from({ length: capacity }, (_, i) => ({
      seqlens_k: onGpu(int32s([i]), [1]),
      // The operator reads this one on the host.
      total_sequence_length: new onnxruntime.Tensor('int32', Int32Array.of(i + 1), [1]),
    }));
    const chosen = Array.from({ length: capacity + 1 }, () => make(4));
    const chosenTensors = chosen.map((buffer) => onGpu(buffer, [1, 1]));
    let length = 0;
    return {
      step: `GroupQueryAttention (with rotation) and SimplifiedLayerNormalization nodes on WebGPU, weights, KV and arithmetic ${type}, cache appended in place, tokens chosen on the GPU`,
      hold: (held) => void (length = held),
      async logits(tokens) {
        const given = new onnxruntime.Tensor('int32', Int32Array.from(tokens), [1, tokens.length]);
        length += tokens.length;
        const feeds = { tokens: given, ...lengths[length - 1], ...pasts };
        const { logits } = await quietly(() => session.run(feeds, { logits: null, ...presents }));
        const { data } = logits!;
        const all = fromElements(
          type === 'f32'
            ? (data as Stored)
            : new Uint16Array(data.buffer as ArrayBuffer, data.byteOffset, data.length),
        );
        return tokens.map((_, i) => all.slice(i * vocab, (i + 1) * vocab));
      },
      async generate(token, count) {
        device.queue.writeBuffer(chosen[0]!, 0, Int32Array.of(token));
        for (let i = 0; i < count; i++) {
          length++;
          const feeds = { tokens: chosenTensors[i]!, ...lengths[length - 1], ...pasts };
          await session.run(feeds, { next: chosenTensors[i + 1]!, ...presents });
        }
        return readTokens(device, chosen.slice(1, count + 1));
      },
      release,
    };
  } catch (error) {
    await release();
    throw error;
  }
}

/** The first int32 of each buffer, in one wait. */
async function readTokens(device: GPUDevice, buffers: readonly GPUBuffer[]): Promise<number[]> {
  const usage = BUFFER_USAGE.COPY_SRC | BUFFER_USAGE.COPY_DST;
  const all = device.createBuffer({ size: buffers.length * 4, usage });
  const encoder = device.createCommandEncoder();
  for (const [i, buffer] of buffers.entries()) encoder.copyBufferToBuffer(buffer, 0, all, i * 4, 4);
  device.queue.submit([encoder.finish()]);
  const bytes = await quietly(() => readBack(borrowDevice(device), all));
  all.destroy();
  return [...new Int32Array(bytes)];
}

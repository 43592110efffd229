// onnxWeb.ts: onnxruntime-web as a contestant: GroupQueryAttention by its WebGPU provider, the cache in GPU buffers.
import onnxruntime from 'onnxruntime-web/webgpu';
import { BUFFER_USAGE } from '../../src/device/usage.ts';
import { borrowDevice, readBack } from '../../src/index.ts';
import type { Attention, Engine } from './engine.ts';
import {
  elementsIn,
  fromElements,
  tokensOfStep,
  toElements,
  withoutNewTokens,
  type PeerInputs,
  type PeerShape,
} from './inputs.ts';
import { gqaLengths, gqaModel, gqaTensors } from './onnxModel.ts';
import { onDevice, requireF16 } from './onDevice.ts';

const SESSION = { executionProviders: ['webgpu'], preferredOutputLocation: 'gpu-buffer' };

/** The provider opens its device on `navigator.gpu` with the first session and drops it with the last: a tiny one holds it. */
export async function openOnnxWeb(): Promise<Engine> {
  onnxruntime.env.logLevel = 'error';
  onnxruntime.env.wasm.numThreads = 1;
  const tiny: PeerShape = { heads: 1, kvHeads: 1, headDim: 64, depth: 1, type: 'f32' };
  const holder = await onnxruntime.InferenceSession.create(gqaModel(tiny), SESSION);
  const device = await onnxruntime.env.webgpu.device;
  return {
    on: onDevice(device),
    bind: (inputs, copies) => bind(device, inputs, copies),
    close: () => void holder.release(),
  };
}

async function bind(device: GPUDevice, inputs: PeerInputs, copies: number): Promise<Attention> {
  const { shape } = inputs;
  requireF16('onnxruntime-web', shape.type, device.features);
  const session = await onnxruntime.InferenceSession.create(gqaModel(shape), SESSION);
  const buffers: GPUBuffer[] = [];
  const upload = (data: ArrayBufferView<ArrayBuffer>) => {
    const buffer = createBuffer(device, data);
    buffers.push(buffer);
    return buffer;
  };
  const release = async () => {
    await session.release();
    for (const buffer of buffers.splice(0)) buffer.destroy();
    device.queue.submit([]);
  };
  try {
    const tensors = bindTensors(inputs, copies, upload);
    const empty = toElements(shape.type, new Float32Array(inputs.q.length).fill(NaN));
    const start = async (copy: number) => {
      await session.run(tensors.feeds[copy]!, tensors.fetches[copy]!);
    };
    return {
      step: 'com.microsoft.GroupQueryAttention on WebGPU, cache appended in place',
      start,
      finish: () => device.queue.onSubmittedWorkDone(),
      output: async (copy) => {
        device.queue.writeBuffer(tensors.output, 0, empty);
        await start(copy);
        const bytes = new Uint8Array(await readBack(borrowDevice(device), tensors.output));
        return fromElements(elementsIn(shape.type, bytes));
      },
      release,
    };
  } catch (error) {
    await release();
    throw error;
  }
}

/** Inputs and outputs of the session for each copy of the cache: past and present are the same buffers. */
function bindTensors(
  { shape, q, k, v }: PeerInputs,
  copies: number,
  upload: (data: ArrayBufferView<ArrayBuffer>) => GPUBuffer,
) {
  const dims = gqaTensors(shape);
  const lengths = gqaLengths(shape);
  const onGpu = (buffer: GPUBuffer, of: readonly number[], dataType: string = DATA_TYPE[shape.type]) =>
    onnxruntime.Tensor.fromGpuBuffer(buffer, { dataType, dims: of });
  const shared = {
    query: onGpu(upload(toElements(shape.type, q)), dims.inputs.query),
    key: onGpu(upload(tokensOfStep(k, shape)), dims.inputs.key),
    value: onGpu(upload(tokensOfStep(v, shape)), dims.inputs.value),
    seqlens_k: onGpu(upload(Int32Array.of(lengths.seqlens_k)), dims.inputs.seqlens_k, 'int32'),
    // The op reads this one on the host.
    total_sequence_length: new onnxruntime.Tensor(
      'int32',
      Int32Array.of(lengths.total_sequence_length),
      dims.inputs.total_sequence_length,
    ),
  };
  const output = upload(toElements(shape.type, q));
  const held = [withoutNewTokens(k, shape), withoutNewTokens(v, shape)] as const;
  const caches = Array.from({ length: copies }, () => {
    return held.map((part) => onGpu(upload(part), dims.inputs.past_key)) as [Tensor, Tensor];
  });
  return {
    output,
    feeds: caches.map(([past_key, past_value]) => ({ ...shared, past_key, past_value })),
    fetches: caches.map(([present_key, present_value]) => {
      return { output: onGpu(output, dims.outputs.output), present_key, present_value };
    }),
  };
}

type Tensor = InstanceType<typeof onnxruntime.Tensor>;

const DATA_TYPE = { f32: 'float32', f16: 'float16' } as const;

/** The provider's buffers have sizes that are multiples of 16. */
function createBuffer(device: GPUDevice, data: ArrayBufferView<ArrayBuffer>): GPUBuffer {
  const usage = BUFFER_USAGE.STORAGE | BUFFER_USAGE.COPY_SRC | BUFFER_USAGE.COPY_DST;
  const buffer = device.createBuffer({ size: Math.ceil(data.byteLength / 16) * 16, usage });
  device.queue.writeBuffer(buffer, 0, data);
  return buffer;
}

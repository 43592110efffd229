// jax.ts: jax-js as a contestant: nn.dotProductAttention, compiled by jit, over a cache [1, T, Hkv, D].
import * as jax from '@jax-js/jax';
import type { Attention, Engine } from './engine.ts';
import { fromElements, newTokens, tokensFirst, type PeerInputs, type PeerShape } from './inputs.ts';
import { onDevice, requireF16 } from './onDevice.ts';

/** Opens jax-js's own device on the host's `navigator.gpu`. */
export async function openJax(): Promise<Engine> {
  if (!(await jax.init('webgpu')).includes('webgpu')) throw new Error('jax-js found no WebGPU device');
  jax.defaultDevice('webgpu');
  const device = jax.getWebGPUDevice();
  return {
    on: onDevice(device),
    bind: (inputs, copies) => bind(device, inputs, copies),
    close: () => {}, // its device is a global of the package
  };
}

async function bind(device: GPUDevice, inputs: PeerInputs, copies: number): Promise<Attention> {
  const { shape } = inputs;
  const { heads, kvHeads, headDim, depth, type } = shape;
  requireF16('jax-js', type, device.features);
  const made: { dispose(): void }[] = [];
  const put = async (values: Float32Array, dims: readonly number[]) => {
    const array = await onGpu(values, dims, shape);
    made.push(array);
    return array;
  };
  const release = async () => {
    for (const each of made.splice(0)) each.dispose();
    device.queue.submit([]);
    await device.queue.onSubmittedWorkDone();
  };
  try {
    const attend = jax.jit((q: jax.Array, k: jax.Array, v: jax.Array) =>
      jax.nn.dotProductAttention(q, k, v, { isCausal: shape.prompt === true }),
    );
    made.push(attend);
    const [k, v] = [inputs.k, inputs.v].map((part) => fromElements(tokensFirst(part, shape)));
    const q = await put(inputs.q, [1, newTokens(shape), heads, headDim]);
    const caches: [jax.Array, jax.Array][] = [];
    for (let copy = 0; copy < copies; copy++) {
      const dims = [1, depth, kvHeads, headDim];
      caches.push([await put(k!, dims), await put(v!, dims)]);
    }
    const run = (copy: number) => attend(q.ref, caches[copy]![0].ref, caches[copy]![1].ref);
    return {
      step: 'nn.dotProductAttention under jit; no append',
      // Operations are lazy: an output that is dropped unread is never computed. Asking for its buffer submits them.
      start: async (copy) => void (await run(copy).gpuBuffer()),
      finish: () => device.queue.onSubmittedWorkDone(),
      output: (copy) => run(copy).astype('float32').data() as Promise<Float32Array>,
      release,
    };
  } catch (error) {
    await release();
    throw error;
  }
}

/** f16 is made on the GPU, of values that f16 holds exactly: Node before 24 has no Float16Array to upload. */
async function onGpu(values: Float32Array, dims: readonly number[], { type }: PeerShape): Promise<jax.Array> {
  const array = jax.numpy.array(values).reshape(dims);
  return (type === 'f16' ? array.astype('float16') : array).blockUntilReady();
}

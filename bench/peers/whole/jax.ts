// jax.ts: jax-js as a contestant with whole models: a decode step under jit, its caches arrays that each step makes anew.
import * as jax from '@jax-js/jax';
import { fromElements } from '../inputs.ts';
import { onDevice, requireF16 } from '../onDevice.ts';
import {
  EMBEDDING,
  FINAL_NORM,
  HEAD,
  hiddenOf,
  NORM_EPS,
  ofLayer,
  rotations,
  type LayerTensor,
  type Llama,
  type LlamaSizes,
} from './llama.ts';
import { quietly, type WholeEngine, type WholeModel } from './wholeEngine.ts';

const { numpy: np } = jax;

/** Opens jax-js's own device on the host's `navigator.gpu`. */
export async function openJax(): Promise<WholeEngine> {
  if (!(await jax.init('webgpu')).includes('webgpu')) throw new Error('jax-js found no WebGPU device');
  jax.defaultDevice('webgpu');
  const device = jax.getWebGPUDevice();
  return {
    on: onDevice(device),
    load: (model, capacity) => load(device, model, capacity),
    close: () => {}, // its device is a global of the package
  };
}

type Named = Record<string, jax.Array>;

/** K and V of each layer, [C, Hkv, D]. */
type Caches = Named[];

interface State {
  readonly token: jax.Array;
  readonly logits: jax.Array;
  readonly caches: Caches;
}

async function load(device: GPUDevice, model: Llama, capacity: number): Promise<WholeModel> {
  const { sizes } = model;
  const { layers, kvHeads, headDim, type } = sizes;
  requireF16('jax-js', type, device.features);
  const dtype = type === 'f32' ? 'float32' : 'float16';
  // f16 is made on the GPU, of values that f16 holds exactly: Node before 24 has no Float16Array to upload.
  const put = (values: Float32Array, shape: readonly number[]) =>
    np.array(values).reshape(shape).astype(dtype).blockUntilReady();
  const weights: Named = {};
  for (const [name, { shape, data }] of model.tensors) weights[name] = await put(fromElements(data), shape);
  const { cos, sin } = rotations(headDim, capacity);
  weights['cos'] = await put(cos, [capacity, headDim / 2]);
  weights['sin'] = await put(sin, [capacity, headDim / 2]);
  const step = jax.jit((token: jax.Array, position: jax.Array, caches: Caches, given: Named): State => {
    return decodeStep(sizes, capacity, token, position, caches, given);
  });
  const empty = () => np.zeros([capacity, kvHeads, headDim], { dtype });
  let caches: Caches = Array.from({ length: layers }, () => ({ k: empty(), v: empty() }));
  let length = 0;
  const run = (token: jax.Array): State => {
    const position = np.array(Int32Array.of(length++));
    const next = step(token, position, caches, jax.tree.ref(weights));
    caches = next.caches;
    return next;
  };
  return {
    step: `matvec, take, where and nn.dotProductAttention under jit, weights, KV and arithmetic ${type}, tokens chosen on the GPU`,
    hold: (held) => void (length = held),
    async logits(tokens) {
      const rows: Float32Array[] = [];
      for (const token of tokens) {
        const next = run(np.array(Int32Array.of(token)));
        next.token.dispose();
        rows.push(await quietly(() => next.logits.astype('float32').data() as Promise<Float32Array>));
      }
      return rows;
    },
    async generate(token, count) {
      const chosen: jax.Array[] = [];
      let last = np.array(Int32Array.of(token));
      for (let i = 0; i < count; i++) {
        const next = run(last);
        next.logits.dispose();
        last = next.token;
        chosen.push(last.ref);
      }
      last.dispose();
      const all = np.concatenate(chosen);
      return [...((await quietly(() => all.data())) as Int32Array)];
    },
    async release() {
      step.dispose();
      for (const tree of [weights, caches]) jax.tree.dispose(tree);
      device.queue.submit([]);
      await device.queue.onSubmittedWorkDone();
    },
  };
}

/** Token and position int32 [1]. Every operation consumes its operands; `ref` keeps them. */
function decodeStep(
  sizes: LlamaSizes,
  capacity: number,
  token: jax.Array,
  position: jax.Array,
  caches: Caches,
  weights: Named,
): State {
  const { layers, heads, kvHeads, headDim } = sizes;
  const places = np.arange(capacity);
  const at = np.equal(places.ref.reshape([capacity, 1, 1]), position.ref);
  const seen = np.lessEqual(places, position.ref);
  const [cos, sin] = ['cos', 'sin'].map((name) => np.take(weights[name]!, position.ref, 0)) as [
    jax.Array,
    jax.Array,
  ];
  position.dispose();
  const rotate = (x: jax.Array, count: number) => {
    const [a, b] = np.split(x.reshape([count, headDim]), 2, -1) as [jax.Array, jax.Array];
    const left = np.subtract(np.multiply(a.ref, cos.ref), np.multiply(b.ref, sin.ref));
    const right = np.add(np.multiply(b, cos.ref), np.multiply(a, sin.ref));
    return np.concatenate([left, right], -1);
  };
  const updated: Caches = [];
  let x = np.take(weights[EMBEDDING]!, token, 0).reshape([hiddenOf(sizes)]);
  for (let layer = 0; layer < layers; layer++) {
    const of = (name: LayerTensor) => weights[ofLayer(layer, name)]!;
    const n = norm(x.ref, of('attentionNorm'));
    const q = rotate(np.matvec(of('q'), n.ref), heads).reshape([1, heads, headDim]);
    const k = rotate(np.matvec(of('k'), n.ref), kvHeads).reshape([1, kvHeads, headDim]);
    const v = np.matvec(of('v'), n).reshape([1, kvHeads, headDim]);
    const cache = caches[layer]!;
    const keys = np.where(at.ref, k, cache['k']!);
    const values = np.where(at.ref, v, cache['v']!);
    updated.push({ k: keys.ref, v: values.ref });
    const o = jax.nn.dotProductAttention(q, keys, values, { mask: seen.ref });
    x = np.add(x, np.matvec(of('o'), o.reshape([heads * headDim])));
    const m = norm(x.ref, of('mlpNorm'));
    const both = np.multiply(jax.nn.silu(np.matvec(of('gate'), m.ref)), np.matvec(of('up'), m));
    x = np.add(x, np.matvec(of('down'), both));
  }
  for (const each of [at, seen, cos, sin]) each.dispose();
  const logits = np.matvec(weights[HEAD]!, norm(x, weights[FINAL_NORM]!));
  return { token: np.argmax(logits.ref).reshape([1]), logits, caches: updated };
}

/** RMSNorm: squares are summed in f32. */
function norm(x: jax.Array, gains: jax.Array): jax.Array {
  const wide = x.ref.astype('float32');
  const mean = np.mean(np.square(wide.ref));
  const normed = np.divide(wide, np.sqrt(np.add(mean, NORM_EPS)));
  return np.multiply(normed.astype(x.dtype), gains);
}

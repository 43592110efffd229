// jax.ts: jax-js as a contestant that trains: valueAndGrad and AdamW under one jit, as its users write them.
import * as jax from '@jax-js/jax';
import { onDevice } from '../onDevice.ts';
import { NORM_EPS, rotations } from '../whole/llama.ts';
import { quietly } from '../whole/wholeEngine.ts';
import { ADAMW, type TrainProblem } from './problem.ts';
import type { TrainEngine, Training } from './trainEngine.ts';

const { numpy: np } = jax;

/** Opens jax-js's own device on the host's `navigator.gpu`. */
export async function openJax(): Promise<TrainEngine> {
  if (!(await jax.init('webgpu')).includes('webgpu')) throw new Error('jax-js found no WebGPU device');
  jax.defaultDevice('webgpu');
  const device = jax.getWebGPUDevice();
  return {
    on: onDevice(device),
    load: (problem) => Promise.resolve(load(device, problem)),
    close: () => {}, // its device is a global of the package
  };
}

type Named = Record<string, jax.Array>;

/** All that a step makes anew, by the names of tensors. */
interface State {
  readonly parameters: Named;
  readonly first: Named;
  readonly second: Named;
}

/** Tokens and targets int32 [B, T], cosines and sines [T, 1, D / 2]. */
interface Given {
  readonly tokens: jax.Array;
  readonly targets: jax.Array;
  readonly cos: jax.Array;
  readonly sin: jax.Array;
}

function load(device: GPUDevice, problem: TrainProblem): Training {
  const { size, tensors } = problem;
  const { batch, context, dim, heads } = size;
  const half = dim / heads / 2;
  const { cos, sin } = rotations(2 * half, context);
  const turns = {
    cos: np.array(cos).reshape([context, 1, half]),
    sin: np.array(sin).reshape([context, 1, half]),
  };
  const compiled = jax.jit((state: State, given: Given, corrections: Corrections) =>
    trainStep(problem, state, given, corrections),
  );
  const initial = (): State => ({
    parameters: fromEntries(tensors, ({ shape, values }) => np.array(values).reshape(shape)),
    first: fromEntries(tensors, ({ shape }) => np.zeros(shape, { dtype: 'float32' })),
    second: fromEntries(tensors, ({ shape }) => np.zeros(shape, { dtype: 'float32' })),
  });
  let state = initial();
  let step = 0;
  const put = (list: Uint32Array) => np.array(Int32Array.from(list)).reshape([batch, context]);
  const next = (): jax.Array => {
    step++;
    const { tokens, targets } = problem.batchOf(step);
    const corrections = {
      first: np.array(Float32Array.of(1 - ADAMW.beta1 ** step)),
      second: np.array(Float32Array.of(1 - ADAMW.beta2 ** step)),
    };
    const given = { tokens: put(tokens), targets: put(targets), ...jax.tree.ref(turns) };
    const made = compiled(state, given, corrections);
    state = made.state;
    return made.loss;
  };
  return {
    step: 'valueAndGrad, clipping and AdamW of each tensor under one jit, f32; targets one-hot, as takeAlongAxis has no gradient under jit',
    restart() {
      jax.tree.dispose(state);
      state = initial();
      step = 0;
    },
    async advance(count) {
      const losses: jax.Array[] = [];
      for (let i = 0; i < count; i++) losses.push(next().reshape([1]));
      const all = np.concatenate(losses);
      return [...(await quietly(() => all.data()))];
    },
    async release() {
      compiled.dispose();
      for (const tree of [state, turns]) jax.tree.dispose(tree);
      device.queue.submit([]);
      await device.queue.onSubmittedWorkDone();
    },
  };
}

/** 1 - beta^step of both moments, [1] each. */
interface Corrections {
  readonly first: jax.Array;
  readonly second: jax.Array;
}

/** Every operation consumes its operands; `ref` keeps them. */
function trainStep(
  problem: TrainProblem,
  { parameters, first, second }: State,
  given: Given,
  corrections: Corrections,
): { loss: jax.Array; state: State } {
  const { beta1, beta2, eps, rate, weightDecay, clip } = ADAMW;
  const names = [...problem.tensors.keys()];
  const lossOf = (weights: Named, batch: Given) => meanLoss(problem, weights, batch);
  const [loss, gradients] = jax.valueAndGrad(lossOf)(jax.tree.ref(parameters), given);
  const squares = names.map((name) => np.sum(np.square(gradients[name]!.ref)));
  const length = np.sqrt(squares.reduce((sum, each) => np.add(sum, each)));
  const factor = np.minimum(1, np.divide(clip, length));
  const state: State = { parameters: {}, first: {}, second: {} };
  for (const name of names) {
    const gradient = np.multiply(gradients[name]!, factor.ref);
    const m = np.add(np.multiply(first[name]!, beta1), np.multiply(gradient.ref, 1 - beta1));
    const v = np.add(np.multiply(second[name]!, beta2), np.multiply(np.square(gradient), 1 - beta2));
    state.first[name] = m.ref;
    state.second[name] = v.ref;
    const root = np.sqrt(np.divide(v, corrections.second.ref));
    const update = np.divide(np.divide(m, corrections.first.ref), np.add(root, eps));
    const values = parameters[name]!;
    const decayed = values.ndim > 1 ? np.add(update, np.multiply(values.ref, weightDecay)) : update;
    state.parameters[name] = np.subtract(values, np.multiply(decayed, rate));
  }
  for (const each of [factor, corrections.first, corrections.second]) each.dispose();
  return { loss, state };
}

/** The mean negative log-likelihood of the targets, in nats. */
function meanLoss(
  { size, vocab }: TrainProblem,
  weights: Named,
  { tokens, targets, cos, sin }: Given,
): jax.Array {
  const { layers, heads, dim, batch, context } = size;
  const rows = batch * context;
  const inHeads = [batch, context, heads, dim / heads];
  const product = (x: jax.Array, name: string) => np.matmul(x, np.transpose(weights[name]!));
  const turned = (x: jax.Array) => turn(x.reshape(inHeads), cos.ref, sin.ref);
  let x = np.take(weights['model.embed_tokens.weight']!, tokens.reshape([rows]), 0);
  for (let layer = 0; layer < layers; layer++) {
    const of = (name: string) => `model.layers.${layer}.${name}.weight`;
    const n = norm(x.ref, weights[of('input_layernorm')]!);
    const q = turned(product(n.ref, of('self_attn.q_proj')));
    const k = turned(product(n.ref, of('self_attn.k_proj')));
    const v = product(n, of('self_attn.v_proj')).reshape(inHeads);
    const o = jax.nn.dotProductAttention(q, k, v, { isCausal: true });
    x = np.add(x, product(o.reshape([rows, dim]), of('self_attn.o_proj')));
    const m = norm(x.ref, weights[of('post_attention_layernorm')]!);
    const gate = jax.nn.silu(product(m.ref, of('mlp.gate_proj')));
    x = np.add(x, product(np.multiply(gate, product(m, of('mlp.up_proj'))), of('mlp.down_proj')));
  }
  const logits = product(norm(x, weights['model.norm.weight']!), 'lm_head.weight');
  const wanted = jax.nn.oneHot(targets.reshape([rows]), vocab);
  for (const each of [cos, sin]) each.dispose();
  const sum = np.sum(np.multiply(wanted, jax.nn.logSoftmax(logits, -1)));
  return np.divide(sum, -rows);
}

function turn(x: jax.Array, cos: jax.Array, sin: jax.Array): jax.Array {
  const [a, b] = np.split(x, 2, -1) as [jax.Array, jax.Array];
  const left = np.subtract(np.multiply(a.ref, cos.ref), np.multiply(b.ref, sin.ref));
  const right = np.add(np.multiply(b, cos), np.multiply(a, sin));
  return np.concatenate([left, right], -1);
}

function norm(x: jax.Array, gains: jax.Array): jax.Array {
  const mean = np.mean(np.square(x.ref), -1, { keepdims: true });
  return np.multiply(np.divide(x, np.sqrt(np.add(mean, NORM_EPS))), gains);
}

function fromEntries<T>(entries: ReadonlyMap<string, T>, make: (value: T) => jax.Array): Named {
  return Object.fromEntries([...entries].map(([name, value]) => [name, make(value)]));
}

// onnxCpu.ts: onnxruntime-node as a contestant with whole models: the graph on the CPU.
import { availableParallelism } from 'node:os';
import onnxruntime from 'onnxruntime-node';
import { fromElements, toElements, type PeerType, type Stored } from '../inputs.ts';
import type { Llama } from './llama.ts';
import { cacheDims, cacheNames, onnxLlama } from './onnxLlama.ts';
import type { WholeEngine, WholeModel } from './wholeEngine.ts';

/** Nothing to open: the CPU is there. */
export function openOnnxCpu(): WholeEngine {
  return { on: null, load, close: () => {} };
}

type Tensor = InstanceType<typeof onnxruntime.Tensor>;

async function load(model: Llama, capacity: number): Promise<WholeModel> {
  const { layers, type, vocab } = model.sizes;
  const threads = availableParallelism();
  const session = await onnxruntime.InferenceSession.create(onnxLlama(model, capacity, 'nodes'), {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // Its threads would otherwise spin for some 25 ms after each run, on the cores of whoever is measured next.
    extra: { session: { force_spinning_stop: '1' } },
  });
  const pasts: Record<string, Tensor> = {};
  const presents: Record<string, Tensor> = {};
  for (let layer = 0; layer < layers; layer++) {
    for (const [past, present] of Object.values(cacheNames(layer))) {
      pasts[past] = presents[present] = emptyTensor(type, cacheDims(model, capacity));
    }
  }
  let length = 0;
  const run = async (tokens: readonly number[]) => {
    const total = length + tokens.length;
    const feeds = {
      tokens: new onnxruntime.Tensor('int32', Int32Array.from(tokens), [1, tokens.length]),
      seqlens_k: new onnxruntime.Tensor('int32', Int32Array.of(total - 1), [1]),
      total_sequence_length: new onnxruntime.Tensor('int32', Int32Array.of(total), [1]),
      positions: new onnxruntime.Tensor('int64', BigInt64Array.of(BigInt(length)), [1]),
      ...pasts,
    };
    const logits = emptyTensor(type, [1, tokens.length, vocab]);
    const next = new onnxruntime.Tensor('int32', new Int32Array(tokens.length), [1, tokens.length]);
    await session.run(feeds, { logits, next, ...presents });
    length = total;
    return { logits: logits.cpuData, next: next.data as Int32Array };
  };
  return {
    step: `GroupQueryAttention, RotaryEmbedding and SimplifiedLayerNormalization nodes, ${threads} threads, weights and KV ${type}, cache appended in place`,
    hold: (held) => void (length = held),
    async logits(tokens) {
      const all = fromElements((await run(tokens)).logits);
      return tokens.map((_, i) => all.slice(i * vocab, (i + 1) * vocab));
    },
    async generate(token, count) {
      const chosen: number[] = [];
      while (chosen.length < count) chosen.push((await run([chosen.at(-1) ?? token])).next[0]!);
      return chosen;
    },
    release: () => session.release(),
  };
}

/** Where there is a Float16Array the package puts f16 into one, which its own native part cannot read. */
function emptyTensor(type: PeerType, dims: readonly number[]): Tensor & { readonly cpuData: Stored } {
  const data = toElements(type, new Float32Array(dims.reduce((a, b) => a * b, 1)));
  return Object.assign(new onnxruntime.Tensor(type === 'f32' ? 'float32' : 'float16', data, dims), {
    cpuData: data,
  });
}

// onnxCpu.ts: onnxruntime-node as a contestant: the same GroupQueryAttention on the CPU. For Node.
import { availableParallelism } from 'node:os';
import onnxruntime from 'onnxruntime-node';
import type { Attention, Engine } from './engine.ts';
import { fromElements, tokensOfStep, toElements, withoutNewTokens, type PeerInputs } from './inputs.ts';
import { gqaLengths, gqaModel, gqaTensors } from './onnxModel.ts';

/** Nothing to open: the CPU is there. */
export function openOnnxCpu(): Engine {
  return { on: null, bind, close: () => {} };
}

async function bind({ shape, q, k, v }: PeerInputs, copies: number): Promise<Attention> {
  const threads = availableParallelism();
  const session = await onnxruntime.InferenceSession.create(gqaModel(shape), {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // Its threads would otherwise spin for some 25 ms after each run, on the cores of whoever is measured next.
    extra: { session: { force_spinning_stop: '1' } },
  });
  const dims = gqaTensors(shape);
  const lengths = gqaLengths(shape);
  // Where there is a Float16Array the package puts f16 into one, which its own native part cannot read.
  const tensor = (data: PeerInputs['k'], of: readonly number[]) =>
    Object.assign(new onnxruntime.Tensor(shape.type === 'f32' ? 'float32' : 'float16', data, of), {
      cpuData: data,
    });
  const length = (value: number) => new onnxruntime.Tensor('int32', Int32Array.of(value), [1]);
  const output = toElements(shape.type, q);
  const shared = {
    query: tensor(toElements(shape.type, q), dims.inputs.query),
    key: tensor(tokensOfStep(k, shape), dims.inputs.key),
    value: tensor(tokensOfStep(v, shape), dims.inputs.value),
    seqlens_k: length(lengths.seqlens_k),
    total_sequence_length: length(lengths.total_sequence_length),
  };
  const written = tensor(output, dims.outputs.output);
  const caches = Array.from({ length: copies }, () => ({
    key: tensor(withoutNewTokens(k, shape), dims.inputs.past_key),
    value: tensor(withoutNewTokens(v, shape), dims.inputs.past_value),
  }));
  const start = async (copy: number) => {
    const { key, value } = caches[copy]!;
    const feeds = { ...shared, past_key: key, past_value: value };
    await session.run(feeds, { output: written, present_key: key, present_value: value });
  };
  return {
    step: `com.microsoft.GroupQueryAttention on the CPU, ${threads} threads, cache appended in place`,
    start,
    finish: async () => {}, // a run ends when it is done
    output: async (copy) => {
      output.set(toElements(shape.type, new Float32Array(q.length).fill(NaN)));
      await start(copy);
      return fromElements(output);
    },
    release: () => session.release(),
  };
}

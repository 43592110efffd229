// engine.ts: llama.cpp as a contestant with whole models, by node-llama-cpp and its prebuilt binaries.
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { getLlama, type LlamaCpp, type LlamaCppSequence } from 'node-llama-cpp';
import type { Llama } from '../whole/llama.ts';
import type { WholeEngine, WholeModel } from '../whole/wholeEngine.ts';
import { ggufLlama } from './gguf.ts';

/** An engine, and the GPUs that it found: none for the CPU. */
export interface LlamaCppEngine extends WholeEngine {
  readonly devices: readonly string[];
}

/** Opens a backend; false is the CPU's. Models go through `file`. Throws where there is no binary for it. */
export async function openLlamaCpp(gpu: 'vulkan' | false, file: string): Promise<LlamaCppEngine> {
  const threads = availableParallelism();
  const llama = await getLlama({
    gpu,
    build: 'never',
    skipDownload: true,
    progressLogs: false,
    logLevel: 'error',
    maxThreads: threads,
  });
  const devices = await llama.getGpuDeviceNames();
  const on = gpu ? `Vulkan on ${devices.join(', ')}` : `the CPU, ${threads} threads`;
  return {
    on: null,
    devices,
    load: (model, capacity) => load(llama, on, file, model, capacity),
    close: () => llama.dispose(),
  };
}

async function load(
  llama: LlamaCpp,
  on: string,
  file: string,
  model: Llama,
  capacity: number,
): Promise<WholeModel> {
  const { type, vocab } = model.sizes;
  const kvType = type === 'f32' ? 'F32' : 'F16';
  await writeFile(file, ggufLlama(model, capacity));
  const loaded = await llama.loadModel({ modelPath: file, gpuLayers: llama.gpu ? 'max' : 0, useMmap: false });
  const context = await loaded.createContext({
    contextSize: capacity,
    // Prompts are not timed: one token at a time needs no further kernels, which lavapipe takes minutes to compile.
    batchSize: 1,
    threads: availableParallelism(),
    experimentalKvCacheKeyType: kvType,
    experimentalKvCacheValueType: kvType,
    // Its flash attention rounds K and V of f32 to f16.
    flashAttention: type === 'f32' ? false : 'auto',
  });
  const sequence = context.getSequence();
  return {
    step: `llama.cpp ${llama.llamaCppRelease.release} on ${on}, weights and KV ${type}, tokens chosen on the CPU`,
    async hold(length) {
      const end = sequence.nextTokenIndex;
      if (end > length) await sequence.eraseContextTokenRanges([{ start: length, end }]);
    },
    logits: (tokens) => logitsBehind(sequence, tokens, vocab),
    async generate(token, count) {
      const chosen: number[] = [];
      // Greedy by default. No token ends the text.
      for await (const next of sequence.evaluate([token], { yieldEogToken: true }))
        if (chosen.push(next) === count) break;
      return chosen;
    },
    release: () => loaded.dispose(),
  };
}

async function logitsBehind(
  sequence: LlamaCppSequence,
  tokens: readonly number[],
  vocab: number,
): Promise<Float32Array[]> {
  const answers = await sequence.controlledEvaluate(
    tokens.map((token) => [token, { generateNext: { logits: true } }]),
  );
  return answers.map((answer) => {
    const row = new Float32Array(vocab).fill(NaN);
    for (const [token, logit] of answer!.next.logits!) row[token] = logit;
    return row;
  });
}

// process.ts: what runs in llama.cpp's own process: an engine, and one model at a time.
import { loadTarget } from '../whole/engines.ts';
import type { WholeAnswer } from '../whole/expected.ts';
import type { LlamaSizes } from '../whole/llama.ts';
import type { WholeTarget } from '../whole/wholeTarget.ts';
import { openLlamaCpp, type LlamaCppEngine } from './engine.ts';
import { answerCalls } from './isolated.ts';

/** What host.ts calls. */
export interface LlamaCppProcess {
  /** Opens a backend and returns the names of its GPUs. */
  open(gpu: 'vulkan' | false, file: string): Promise<readonly string[]>;
  /** Makes the model, keeps the target and returns its step. */
  load(sizes: LlamaSizes, seed: number, depth: number): Promise<string>;
  time(steps: number): Promise<number>;
  answer(prompt: readonly number[], greedy: readonly number[]): Promise<WholeAnswer>;
  release(): Promise<void>;
}

let engine: LlamaCppEngine;
let target: WholeTarget;

answerCalls<LlamaCppProcess>({
  async open(gpu, file) {
    engine = await openLlamaCpp(gpu, file);
    return engine.devices;
  },
  async load(sizes, seed, depth) {
    target = await loadTarget(engine, sizes, seed, depth);
    return target.step;
  },
  time: (steps) => target.time(steps),
  answer: (prompt, greedy) => target.answer(prompt, greedy),
  release: () => target.release(),
});

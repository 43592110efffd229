// engines.ts: opens the engines for whole models that run wherever there is WebGPU, and loads models into them.
import type { WebgpuEngine } from '../contestants.ts';
import { makeLlama, type LlamaSizes } from './llama.ts';
import { openOurs } from './ours.ts';
import type { WholeEngine } from './wholeEngine.ts';
import { localTarget, randomTokens, STEPS, type WholeTarget } from './wholeTarget.ts';

/** Those that a page can open. */
export type PageEngine = Exclude<WebgpuEngine, 'plain'>;

/** Opens an engine. Peers look for `navigator.gpu`, ours takes `gpu`; both have to be the same. */
export async function openPageEngine(engine: PageEngine, gpu: GPU): Promise<WholeEngine> {
  switch (engine) {
    case 'ours':
      return openOurs(gpu);
    // Imported here: a peer that is not installed must not keep the others from running.
    case 'ort-web':
      return (await import('./onnxWeb.ts')).openOnnxWeb();
    case 'jax-js':
      return (await import('./jax.ts')).openJax();
  }
}

/** Makes a model, loads it and has it timed behind `depth` tokens. */
export async function loadTarget(
  engine: WholeEngine,
  sizes: LlamaSizes,
  seed: number,
  depth: number,
): Promise<WholeTarget> {
  const model = await engine.load(await makeLlama(sizes, seed), depth + STEPS);
  return localTarget(model, randomTokens(depth + 1, sizes.vocab, seed));
}

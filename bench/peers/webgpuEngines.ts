// webgpuEngines.ts: opens the engines that run wherever there is WebGPU.
import type { WebgpuEngine } from './contestants.ts';
import type { Engine } from './engine.ts';
import { openOurs } from './ours.ts';

/** Opens an engine. Peers look for `navigator.gpu`, ours takes `gpu`; both have to be the same. */
export async function openWebgpuEngine(engine: WebgpuEngine, gpu: GPU): Promise<Engine> {
  switch (engine) {
    case 'ours':
      return openOurs(gpu);
    case 'plain':
      return openOurs(gpu, 'plain');
    // Imported here: a peer that is not installed must not keep the others from running.
    case 'ort-web':
      return (await import('./onnxWeb.ts')).openOnnxWeb();
    case 'jax-js':
      return (await import('./jax.ts')).openJax();
  }
}

// wholeNodeHost.ts: the contestants in Node with whole models: the WebGPU engines on Dawn, onnxruntime on the CPU, llama.cpp in a process of its own.
import type { NodeGpu } from '../../src/node/adapters.ts';
import { collectGarbage } from '../../src/node/collect.ts';
import type { BenchContext } from '../schema/schema.ts';
import type { EngineName } from './contestants.ts';
import { openLlamaCpp } from './llamaCpp/host.ts';
import { nodeEngines } from './nodeEngines.ts';
import { loadTarget, openPageEngine } from './whole/engines.ts';
import type { WholeEngine } from './whole/wholeEngine.ts';
import type { WholeHost, WholeLoader } from './whole/wholeHost.ts';

/** Whose WebGPU engines all get this GPU object, and so the same adapter; llama.cpp gets its name. */
export async function openWholeNodeHost(
  found: NodeGpu,
  runtime: BenchContext['runtime'],
): Promise<WholeHost> {
  const engines = await nodeEngines(found.gpu, (name) => openLoader(name, found));
  return {
    place: 'node',
    runtime,
    open: (name) => engines.open(name),
    close: () => engines.close(),
    load: (name, ...of) => engines.get(name).load(...of),
  };
}

async function openLoader(name: EngineName, { gpu, adapterName }: NodeGpu): Promise<WholeLoader> {
  switch (name) {
    case 'plain':
      throw new Error('plain steps compute attention alone');
    // Imported here: a peer that is not installed must not keep the others from running.
    case 'ort-cpu':
      return loaderHere((await import('./whole/onnxCpu.ts')).openOnnxCpu());
    case 'llama.cpp-vulkan':
      return openLlamaCpp(adapterName);
    case 'llama.cpp-cpu':
      return openLlamaCpp(undefined);
    default:
      return loaderHere(await openPageEngine(name, gpu));
  }
}

/** An engine of this process. */
function loaderHere(engine: WholeEngine): WholeLoader {
  return {
    on: engine.on,
    async load(sizes, seed, depth) {
      const target = await loadTarget(engine, sizes, seed, depth);
      return { ...target, release: () => target.release().then(collectGarbage) };
    },
    close: () => engine.close(),
  };
}

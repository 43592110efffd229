// nodeHost.ts: the contestants of this process with whole models: the WebGPU engines on Dawn, and onnxruntime on the CPU.
import type { NodeGpu } from '../../../src/node/adapters.ts';
import { collectGarbage } from '../../../src/node/collect.ts';
import type { BenchContext } from '../../schema/schema.ts';
import type { EngineName } from '../contestants.ts';
import { nodeEngines } from '../nodeEngines.ts';
import { loadTarget, openPageEngine } from './engines.ts';
import type { WholeEngine } from './wholeEngine.ts';
import type { WholeHost } from './wholeHost.ts';

/** Whose WebGPU engines all get this GPU object, and so the same adapter. */
export async function openWholeNodeHost(
  { gpu }: NodeGpu,
  runtime: BenchContext['runtime'],
): Promise<WholeHost> {
  const engines = await nodeEngines(gpu, openEngine);
  return {
    place: 'node',
    runtime,
    open: (name) => engines.open(name),
    close: () => engines.close(),
    async load(name, sizes, seed, depth) {
      const target = await loadTarget(engines.get(name), sizes, seed, depth);
      return { ...target, release: () => target.release().then(collectGarbage) };
    },
  };
}

async function openEngine(name: EngineName, gpu: GPU): Promise<WholeEngine> {
  if (name === 'plain') throw new Error('plain steps compute attention alone');
  if (name === 'ort-cpu') return (await import('./onnxCpu.ts')).openOnnxCpu();
  return openPageEngine(name, gpu);
}

// nodeHost.ts: the contestants of this process with whole models: the WebGPU engines on Dawn, and onnxruntime on the CPU.
import type { NodeGpu } from '../../../src/node/adapters.ts';
import { collectGarbage } from '../../../src/node/collect.ts';
import type { BenchContext } from '../../schema/schema.ts';
import { actAsBrowser } from '../asBrowser.ts';
import type { EngineName } from '../contestants.ts';
import { nextTurn } from '../nodeHost.ts';
import { loadTarget, openPageEngine } from './engines.ts';
import type { WholeEngine } from './wholeEngine.ts';
import type { WholeHost } from './wholeHost.ts';

/** All WebGPU engines get this GPU object, and so the same adapter. */
export async function openWholeNodeHost(
  { gpu }: NodeGpu,
  runtime: BenchContext['runtime'],
): Promise<WholeHost> {
  await actAsBrowser(gpu);
  const engines = new Map<EngineName, WholeEngine>();
  return {
    place: 'node',
    runtime,
    async open(name) {
      const engine = await openEngine(name, gpu);
      engines.set(name, engine);
      await nextTurn();
      return engine.on;
    },
    async load(name, sizes, seed, depth) {
      const target = await loadTarget(engines.get(name)!, sizes, seed, depth);
      return { ...target, release: () => target.release().then(collectGarbage) };
    },
    async close() {
      for (const engine of engines.values()) await engine.close();
    },
  };
}

async function openEngine(name: EngineName, gpu: GPU): Promise<WholeEngine> {
  if (name === 'plain') throw new Error('plain steps compute attention alone');
  if (name === 'ort-cpu') return (await import('./onnxCpu.ts')).openOnnxCpu();
  return openPageEngine(name, gpu);
}

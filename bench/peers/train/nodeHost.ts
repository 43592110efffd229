// nodeHost.ts: the contestants of this process that train.
import type { NodeGpu } from '../../../src/node/adapters.ts';
import type { BenchContext } from '../../schema/schema.ts';
import type { EngineName } from '../contestants.ts';
import { nodeEngines } from '../nodeEngines.ts';
import { openOurs } from './ours.ts';
import type { TrainEngine, TrainHost } from './trainEngine.ts';

/** Whose engines all get this GPU object, and so the same adapter. */
export async function openTrainNodeHost(
  { gpu }: NodeGpu,
  runtime: BenchContext['runtime'],
): Promise<TrainHost> {
  const engines = await nodeEngines(gpu, openEngine);
  return {
    place: 'node',
    runtime,
    open: (name) => engines.open(name),
    close: () => engines.close(),
    load: (name, problem) => engines.get(name).load(problem),
  };
}

async function openEngine(name: EngineName, gpu: GPU): Promise<TrainEngine> {
  if (name === 'ours') return openOurs(gpu);
  // Imported here: a peer that is not installed must not keep the others from running.
  if (name === 'jax-js') return (await import('./jax.ts')).openJax();
  throw new Error(`${name} does not train`);
}

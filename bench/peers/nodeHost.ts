// nodeHost.ts: the contestants of this process: the WebGPU engines on Dawn, and onnxruntime on the CPU.
import { openDevice } from '../../src/index.ts';
import type { NodeGpu } from '../../src/node/adapters.ts';
import { quietWait } from '../../src/node/quiet.ts';
import { collectGarbage } from '../../src/node/collect.ts';
import { lastLevelCache } from '../../src/node/runtimeContext.ts';
import { coldBytesOf, rotatedBytesOf } from '../run/coldCaches.ts';
import { measureCeiling } from '../run/ceiling.ts';
import { fullDescriptor } from '../../src/device/deviceRequest.ts';
import type { BenchContext } from '../schema/schema.ts';
import { PassTimer } from '../run/timer.ts';
import { isWebgpuEngine, type EngineName } from './contestants.ts';
import type { Engine } from './engine.ts';
import type { AttentionHost } from './host.ts';
import { nodeEngines } from './nodeEngines.ts';
import { localTarget } from './peerTarget.ts';
import { openWebgpuEngine } from './webgpuEngines.ts';

/** Whose WebGPU engines all get this GPU object, and so the same adapter. */
export async function openNodeHost(
  { gpu }: NodeGpu,
  runtime: BenchContext['runtime'],
): Promise<AttentionHost> {
  const engines = await nodeEngines(gpu, openEngine);
  return {
    place: 'node',
    runtime,
    open: (name) => engines.open(name),
    close: () => engines.close(),
    async bind(name, inputs, copies) {
      const target = localTarget(await engines.get(name).bind(inputs, copies), copies, quietWait);
      // Copies bound for shape after shape would come to more memory maps than a process may have.
      const release = () => target.release().then(collectGarbage);
      return { ...target, release };
    },
    ceiling: () => readCeiling(gpu),
  };
}

async function openEngine(name: EngineName, gpu: GPU): Promise<Engine> {
  if (name === 'ort-cpu') return (await import('./onnxCpu.ts')).openOnnxCpu();
  if (isWebgpuEngine(name)) return openWebgpuEngine(name, gpu);
  throw new Error(`${name} has no attention alone`);
}

async function readCeiling(gpu: GPU) {
  const device = await openDevice(gpu, { powerPreference: 'high-performance', descriptor: fullDescriptor });
  const timer = new PassTimer(device, { quiet: quietWait });
  try {
    await timer.calibrate();
    const { software } = device.facts;
    const { lastLevelCacheBytes } = lastLevelCache(software);
    const rotated = rotatedBytesOf(software, coldBytesOf(software, lastLevelCacheBytes));
    return await measureCeiling(device, timer, rotated);
  } finally {
    timer.destroy();
    device.destroy();
  }
}

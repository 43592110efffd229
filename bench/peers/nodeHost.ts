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
import { actAsBrowser } from './asBrowser.ts';
import type { EngineName } from './contestants.ts';
import type { Engine } from './engine.ts';
import type { AttentionHost } from './host.ts';
import { localTarget } from './peerTarget.ts';
import { openWebgpuEngine } from './webgpuEngines.ts';

/** All WebGPU engines get this GPU object, and so the same adapter. */
export async function openNodeHost(
  { gpu }: NodeGpu,
  runtime: BenchContext['runtime'],
): Promise<AttentionHost> {
  await actAsBrowser(gpu);
  const engines = new Map<EngineName, Engine>();
  return {
    place: 'node',
    runtime,
    async open(name) {
      const engine = await openEngine(name, gpu);
      engines.set(name, engine);
      await nextTurn();
      return engine.on;
    },
    async bind(name, inputs, copies) {
      const target = localTarget(await engines.get(name)!.bind(inputs, copies), copies, quietWait);
      // Copies bound for shape after shape would come to more memory maps than a process may have.
      const release = () => target.release().then(collectGarbage);
      return { ...target, release };
    },
    ceiling: () => readCeiling(gpu),
    async close() {
      for (const engine of engines.values()) engine.close();
    },
  };
}

async function openEngine(name: EngineName, gpu: GPU): Promise<Engine> {
  if (name === 'ort-cpu') return (await import('./onnxCpu.ts')).openOnnxCpu();
  return openWebgpuEngine(name, gpu);
}

/**
 * Node 20 optimises onnxruntime-web's module as a whole, in the turn of the event loop after its first use, for up to a
 * minute of one core; Node 24 and Chromium do not. Nothing may be timed before that is over.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
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

// nodeEngines.ts: the engines of this process by name, whatever they compute.
import { actAsBrowser } from './asBrowser.ts';
import type { EngineName } from './contestants.ts';
import type { Host } from './host.ts';

/** What is asked of any engine. */
interface AnyEngine {
  readonly on: Awaited<ReturnType<Host['open']>>;
  close(): void | Promise<void>;
}

/** Engines that were opened, and the two calls of a host that are the same whatever its engines compute. */
export interface NodeEngines<E extends AnyEngine> extends Pick<Host, 'open' | 'close'> {
  get(name: EngineName): E;
}

/** All WebGPU engines get this GPU object, and so the same adapter. */
export async function nodeEngines<E extends AnyEngine>(
  gpu: GPU,
  openEngine: (name: EngineName, gpu: GPU) => Promise<E>,
): Promise<NodeEngines<E>> {
  await actAsBrowser(gpu);
  const engines = new Map<EngineName, E>();
  return {
    get: (name) => engines.get(name)!,
    async open(name) {
      const engine = await openEngine(name, gpu);
      engines.set(name, engine);
      await nextTurn();
      return engine.on;
    },
    async close() {
      for (const engine of engines.values()) await engine.close();
    },
  };
}

/**
 * Node 20 optimises onnxruntime-web's module as a whole, in the turn of the event loop after its first use, for up to a
 * minute of one core; Node 24 and Chromium do not. Nothing may be timed before that is over.
 */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}

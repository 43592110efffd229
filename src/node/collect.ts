// collect.ts: has the collector take what nothing refers to any more, for programs that let go of thousands of GPU objects.
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let collect: (() => void) | undefined;

/**
 * Dawn keeps a bind group's memory maps until the collector has taken its wrapper, a few bytes that give the collector no
 * reason to run: on lavapipe 24 kernels of 1,000 steps in turn came to 38,872 maps, with this after each to 6,718. Linux
 * allows a process 65,530. Takes milliseconds.
 */
export async function collectGarbage(): Promise<void> {
  if (!collect) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
  // What the collector took is given back in a later turn of the event loop.
  await setImmediate();
}

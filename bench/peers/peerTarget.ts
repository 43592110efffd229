// peerTarget.ts: a contestant bound to a shape, as the run sees it: times steps, shows outputs. The same in every place.
import type { Attention } from './engine.ts';

/** Times are wall clock, taken in the process of the contestant. */
export interface PeerTarget {
  /** What runs in a step, for people. */
  readonly step: string;
  /** Nanoseconds of `steps` steps in a row, each on the next copy of K and V, until the last is done. */
  time(steps: number): Promise<number>;
  /** The output f32 [Hq, D] of a step on this copy. */
  output(copy: number): Promise<Float32Array>;
  release(): Promise<void>;
}

/** A target in this process. `quiet` is called around every wait: see TimerHooks. */
export function localTarget(attention: Attention, copies: number, quiet?: () => () => void): PeerTarget {
  let next = 0;
  const quietly = async <T>(wait: () => Promise<T>): Promise<T> => {
    const loud = quiet?.();
    try {
      return await wait();
    } finally {
      loud?.();
    }
  };
  return {
    step: attention.step,
    async time(steps) {
      const start = performance.now();
      for (let i = 0; i < steps; i++) {
        await attention.start(next);
        next = (next + 1) % copies;
      }
      await quietly(() => attention.finish());
      return (performance.now() - start) * 1e6;
    },
    output: (copy) => quietly(() => attention.output(copy)),
    release: async () => attention.release(),
  };
}

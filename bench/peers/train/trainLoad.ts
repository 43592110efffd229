// trainLoad.ts: training of one size: its reference, and what a contestant is timed and checked by.
import type { TrainingSizeName } from '../../../src/train/sizes.ts';
import type { PeerLoad, PeerWorkload } from '../peerWorkload.ts';
import { CHECKED_STEPS, checkLosses, expectLosses } from './expected.ts';
import { makeProblem } from './problem.ts';
import { MOST_STEPS, type TrainHost, type Training } from './trainEngine.ts';

/** Steps of training; `coldBytes` are more than caches hold. */
export function trainLoad(
  name: TrainingSizeName,
  { seed, coldBytes }: { readonly seed: number; readonly coldBytes: number },
): PeerLoad<TrainHost> {
  const id = `train_${name}`;
  const make = (): PeerWorkload<TrainHost> => {
    const problem = makeProblem(name, seed);
    const { size, vocab, layout } = problem;
    const { layers, heads, dim, feedForward, batch, context } = size;
    const expected = expectLosses(problem);
    const weights = layout.count * 4;
    const workingSetBytes = 4 * weights; // with gradients and two moments of them
    return {
      id,
      params: {
        heads,
        kvHeads: heads,
        headDim: dim / heads,
        batch,
        depth: context,
        capacity: context,
        type: 'f32',
        model: { layers, mlp: feedForward, vocab },
        training: true,
      },
      bytes: { kvRead: 0, weights },
      copies: 1,
      workingSetBytes,
      cold: workingSetBytes >= coldBytes,
      async bind(host, { engine }) {
        const training = await host.load(engine, problem);
        return {
          step: training.step,
          time: (steps) => timeSteps(training, steps),
          release: async () => training.release(),
          async check() {
            await training.restart();
            return checkLosses(expected, await training.advance(CHECKED_STEPS));
          },
        };
      },
    };
  };
  return { id, make };
}

/** Nanoseconds of so many steps, training as it goes on. */
async function timeSteps(training: Training, steps: number): Promise<number> {
  const start = performance.now();
  for (let left = steps; left > 0; left -= MOST_STEPS) await training.advance(Math.min(left, MOST_STEPS));
  return (performance.now() - start) * 1e6;
}

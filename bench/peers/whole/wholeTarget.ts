// wholeTarget.ts: a model in an engine as the run sees it: times steps, answers a prompt. The same in every place.
import { uniform } from '../../../src/numbers/random.ts';
import type { WholeAnswer } from './expected.ts';
import type { WholeModel } from './wholeEngine.ts';

/** Tokens that are chosen before they are read together, at most. */
export const STEPS = 64;

/** Times are wall clock, taken in the process of the contestant. */
export interface WholeTarget {
  /** What runs in a step, for people. */
  readonly step: string;
  /** Nanoseconds of so many tokens, one by one from the depth on; every STEPS of them begin there again. */
  time(steps: number): Promise<number>;
  /** The logits of a text all but the last of whose prompt are taken at once, and the greedy tokens behind the prompt. */
  answer(prompt: readonly number[], greedy: readonly number[]): Promise<WholeAnswer>;
  release(): Promise<void>;
}

/** Tokens of a seeded text. */
export function randomTokens(count: number, vocab: number, seed: number): number[] {
  const next = uniform(seed);
  return Array.from({ length: count }, () => Math.floor(next() * vocab));
}

/** A target in this process, timed behind these tokens. */
export function localTarget(model: WholeModel, tokens: readonly number[]): WholeTarget {
  const depth = tokens.length - 1;
  const last = tokens.at(-1)!;
  let filled = false;
  return {
    step: model.step,
    async time(steps) {
      if (!filled) {
        await model.hold(0);
        await model.logits(tokens.slice(0, depth));
        filled = true;
      }
      const start = performance.now();
      for (let left = steps; left > 0; left -= STEPS) {
        await model.hold(depth);
        await model.generate(last, Math.min(left, STEPS));
      }
      return (performance.now() - start) * 1e6;
    },
    async answer(prompt, greedy) {
      filled = false;
      await model.hold(0);
      const logits = await model.logits(prompt.slice(0, -1));
      for (const token of [...prompt.slice(-1), ...greedy.slice(0, -1)])
        logits.push(...(await model.logits([token])));
      await model.hold(prompt.length - 1);
      return { logits, greedy: await model.generate(prompt.at(-1)!, greedy.length) };
    },
    release: async () => model.release(),
  };
}

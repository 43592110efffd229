// whole.ts: the contestants of a browser page with whole models, driven from Node through `globalThis.wholePeers`.
import { loadTarget, openPageEngine, type PageEngine } from '../whole/engines.ts';
import type { WholeAnswer } from '../whole/expected.ts';
import type { LlamaSizes } from '../whole/llama.ts';
import type { WholeEngine } from '../whole/wholeEngine.ts';
import type { WholeTarget } from '../whole/wholeTarget.ts';

/** What wholeChromiumHost.ts calls: a WholeHost in values that travel between processes. */
export interface WholePage {
  open(engine: PageEngine): Promise<WholeEngine['on']>;
  /** Makes the model, keeps the target and returns its step. */
  load(engine: PageEngine, sizes: LlamaSizes, seed: number, depth: number): Promise<string>;
  time(engine: PageEngine, steps: number): Promise<number>;
  answer(engine: PageEngine, prompt: readonly number[], greedy: readonly number[]): Promise<WholeAnswer>;
  release(engine: PageEngine): Promise<void>;
}

declare global {
  // oxlint-disable-next-line no-var -- a property of globalThis
  var wholePeers: WholePage;
}

const engines = new Map<PageEngine, WholeEngine>();
const targets = new Map<PageEngine, WholeTarget>();

globalThis.wholePeers = {
  async open(name) {
    const engine = await openPageEngine(name, navigator.gpu);
    engines.set(name, engine);
    return engine.on;
  },
  async load(name, sizes, seed, depth) {
    const target = await loadTarget(engines.get(name)!, sizes, seed, depth);
    targets.set(name, target);
    return target.step;
  },
  time: (name, steps) => targets.get(name)!.time(steps),
  async answer(name, prompt, greedy) {
    const { logits, greedy: chosen } = await targets.get(name)!.answer(prompt, greedy);
    return { logits: logits.map((row) => Array.from(row)), greedy: chosen };
  },
  async release(name) {
    await targets.get(name)?.release();
    targets.delete(name);
  },
};

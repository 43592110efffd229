// wholeHost.ts: a place where contestants run whole models, as the run sees it.
import type { EngineName } from '../contestants.ts';
import type { Host } from '../host.ts';
import type { LlamaSizes } from './llama.ts';
import type { WholeEngine } from './wholeEngine.ts';
import type { WholeTarget } from './wholeTarget.ts';

/** Its engines compute whole models. */
export interface WholeHost extends Host {
  load(engine: EngineName, ...of: Parameters<WholeLoader['load']>): Promise<WholeTarget>;
}

/** An engine, open in this process or another. */
export interface WholeLoader extends Pick<WholeEngine, 'on' | 'close'> {
  /** Loads a model, which each place makes of its sizes and the seed, to be timed at a depth. */
  load(sizes: LlamaSizes, seed: number, depth: number): Promise<WholeTarget>;
}

// trainEngine.ts: what the comparison of training steps asks of an engine, and of the place that it runs in.
import type { PeerPlace } from '../../schema/peerSchema.ts';
import type { EngineName } from '../contestants.ts';
import type { Host } from '../host.ts';
import type { TrainProblem } from './problem.ts';

/** An engine, open on its device for the whole run. */
export interface TrainEngine {
  /** The device that it computes on. */
  readonly on: NonNullable<Pick<PeerPlace, 'adapter' | 'features'>>;
  /** Uploads parameters and prepares a step. */
  load(problem: TrainProblem): Promise<Training>;
  close(): void | Promise<void>;
}

/** A training in an engine. */
export interface Training {
  /** What runs in a step, for people. */
  readonly step: string;
  /** Puts the initial parameters back, and moments of zeros: the next step is the first. */
  restart(): void | Promise<void>;
  /** Takes so many steps, at most MOST_STEPS, and waits for them: the loss of each. */
  advance(count: number): Promise<number[]>;
  release(): void | Promise<void>;
}

/** Steps that are taken before their losses are read. */
export const MOST_STEPS = 32;

/** A place whose engines train. */
export interface TrainHost extends Host {
  load(engine: EngineName, problem: TrainProblem): Promise<Training>;
}

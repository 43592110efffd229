// engine.ts: what the comparison asks of an engine. No host object: engines run in Node and in a browser.
import type { PeerPlace } from '../schema/peerSchema.ts';
import type { PeerInputs } from './inputs.ts';

/** An engine, open on its device for the whole run. */
export interface Engine {
  /** The device it computes on; null for an engine on the CPU. */
  readonly on: Pick<PeerPlace, 'adapter' | 'features'> | null;
  /** Uploads so many copies of K and V and makes one step on each of them ready to run. */
  bind(inputs: PeerInputs, copies: number): Promise<Attention>;
  close(): void;
}

/** One decode step of an engine on one shape. All copies of K and V hold the same values. */
export interface Attention {
  /** What runs in a step, for people. */
  readonly step: string;
  /** Submits a step on a copy; resolves when the next one may be submitted, which need not be when it is done. */
  start(copy: number): void | Promise<void>;
  /** Resolves when all steps are done. */
  finish(): Promise<void>;
  /** Runs a step on a copy into an emptied output and reads it: f32 [Hq, D]. */
  output(copy: number): Promise<Float32Array>;
  release(): void | Promise<void>;
}

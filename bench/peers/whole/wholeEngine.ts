// wholeEngine.ts: what the comparison of whole models asks of an engine.
import { quietWait } from '../../../src/node/quiet.ts';
import type { PeerPlace } from '../../schema/peerSchema.ts';
import type { Llama } from './llama.ts';

/** An engine, open on its device for the whole run. */
export interface WholeEngine {
  /** The device it computes on; null for one that is not WebGPU's. */
  readonly on: Pick<PeerPlace, 'adapter' | 'features'> | null;
  /** Uploads a model, with a cache of `capacity` tokens. */
  load(model: Llama, capacity: number): Promise<WholeModel>;
  close(): void | Promise<void>;
}

/** A model in an engine, which holds a text of one sequence. */
export interface WholeModel {
  /** What runs in a step, for people. */
  readonly step: string;
  /** Forgets all tokens but the first `length`. */
  hold(length: number): void | Promise<void>;
  /** Takes tokens behind those it holds, several at once where the engine can; the logits behind each. */
  logits(tokens: readonly number[]): Promise<Float32Array[]>;
  /** Takes a token and then each that it chooses but the last, one by one: the likeliest `count` tokens. */
  generate(token: number, count: number): Promise<number[]>;
  release(): void | Promise<void>;
}

/** Waits while Dawn's polling is kept off the processor; browsers, which have no setImmediate, do not poll. */
export async function quietly<T>(wait: () => Promise<T>): Promise<T> {
  const loud = 'setImmediate' in globalThis ? quietWait() : undefined;
  try {
    return await wait();
  } finally {
    loud?.();
  }
}

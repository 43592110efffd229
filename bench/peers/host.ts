// host.ts: a place where contestants run, as the run sees it.
import type { PeerPlace } from '../schema/peerSchema.ts';
import type { BenchContext, CeilingContext } from '../schema/schema.ts';
import type { EngineName, Place } from './contestants.ts';
import type { PeerInputs } from './inputs.ts';
import type { PeerTarget } from './peerTarget.ts';

/** Node or a browser, with its engines. */
export interface Host {
  readonly place: Place;
  readonly runtime: BenchContext['runtime'];
  /** Opens an engine, once, and says on which device it computes; null is the CPU. Throws where it cannot. */
  open(engine: EngineName): Promise<Pick<PeerPlace, 'adapter' | 'features'> | null>;
  /** How fast the place's device reads memory, where the host can measure it. */
  ceiling?(): Promise<CeilingContext>;
  close(): Promise<void>;
}

/** Its engines compute attention. */
export interface AttentionHost extends Host {
  /** Binds an open engine to data. `inputs` of one shape are the same object for every contestant. */
  bind(engine: EngineName, inputs: PeerInputs, copies: number): Promise<PeerTarget>;
}

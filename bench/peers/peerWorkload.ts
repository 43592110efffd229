// peerWorkload.ts: one shape of a run: its data, what its outputs have to be, and over how many copies K and V rotate.
import type { RowCheck } from '../schema/schema.ts';
import { arithmeticOf, type Contestant } from './contestants.ts';
import { checkOutput, expectPeers, type PeerExpected } from './expected.ts';
import { kvBytes, makeInputs, type PeerInputs, type PeerShape } from './inputs.ts';
import type { PeerTarget } from './peerTarget.ts';

/** One shape of the run, the same for every contestant. */
export interface PeerWorkload {
  readonly shape: PeerShape;
  readonly inputs: PeerInputs;
  readonly expected: PeerExpected;
  readonly copies: number;
  readonly workingSetBytes: number;
  readonly cold: boolean;
}

/** How large the rotated copies should be together, and how large they may be; per contestant. */
export interface Rotation {
  readonly coldBytes: number;
  readonly mostBytes: number;
}

// Smaller shapes than the standard ones would need more; a row says when its caches may have stayed warm.
const MAX_COPIES = 1024;

/** The copies of K and V, `bytes` each, that a contestant gets. */
export function copiesFor(bytes: number, { coldBytes, mostBytes }: Rotation): number {
  const wanted = Math.ceil(coldBytes / bytes);
  return Math.max(1, Math.min(MAX_COPIES, wanted, Math.floor(mostBytes / bytes)));
}

/** Makes the data and the reference: seconds for long caches. */
export function makeWorkload(shape: PeerShape, seed: number, rotation: Rotation): PeerWorkload {
  const inputs = makeInputs(shape, seed);
  const bytes = kvBytes(shape);
  const copies = copiesFor(bytes, rotation);
  return {
    shape,
    inputs,
    expected: expectPeers(inputs),
    copies,
    workingSetBytes: copies * bytes,
    cold: copies * bytes >= rotation.coldBytes,
  };
}

/** Holds the outputs of the first and of the last copy against float64; the worse of the two. */
export async function checkTarget(
  { engine }: Contestant,
  target: PeerTarget,
  workload: PeerWorkload,
): Promise<RowCheck> {
  const arithmetic = arithmeticOf(engine, workload.shape.type);
  const checks: RowCheck[] = [];
  for (const copy of new Set([0, workload.copies - 1])) {
    checks.push(checkOutput(workload.expected, arithmetic, await target.output(copy)));
  }
  return checks.reduce((a, b) => (b.maxAbsErr > a.maxAbsErr ? b : a));
}

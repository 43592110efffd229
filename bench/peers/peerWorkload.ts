// peerWorkload.ts: one shape of a run: its data, what its outputs have to be, and over how many copies K and V rotate.
import type { RowCheck } from '../schema/schema.ts';
import { arithmeticOf, type Contestant } from './contestants.ts';
import { checkOutput, expectPeers, type PeerExpected } from './expected.ts';
import type { AttentionHost } from './host.ts';
import { kvBytes, makeInputs, peerParams, type PeerShape, type PeerType } from './inputs.ts';
import { shapeId, type Compared } from './peerRow.ts';
import type { PeerTarget } from './peerTarget.ts';

/** What contestants on hosts of a kind are compared by, the same for every one: a step on one shape. */
export interface PeerWorkload<H> extends Compared {
  /** Makes an open engine ready to run. */
  bind(host: H, contestant: Contestant): Promise<BoundTarget>;
}

/** A contestant that can be timed and checked. */
export interface BoundTarget extends Pick<PeerTarget, 'step' | 'time' | 'release'> {
  /** Holds it against float64. Throws Error for what a number cannot say. */
  check(): Promise<RowCheck>;
}

/** A workload that is made when its turn comes: its data and reference take memory and seconds. */
export interface PeerLoad<H> {
  readonly id: string;
  make(): PeerWorkload<H> | Promise<PeerWorkload<H>>;
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

/** A shape's attention. */
export function attentionLoad(
  shape: PeerShape,
  { seed, ...rotation }: Rotation & { readonly seed: number },
): PeerLoad<AttentionHost> {
  return { id: shapeId(shape), make: () => makeWorkload(shape, seed, rotation) };
}

function makeWorkload(shape: PeerShape, seed: number, rotation: Rotation): PeerWorkload<AttentionHost> {
  const inputs = makeInputs(shape, seed);
  const expected = expectPeers(inputs);
  const bytes = kvBytes(shape);
  const copies = copiesFor(bytes, rotation);
  return {
    id: shapeId(shape),
    params: peerParams(shape),
    bytes: { kvRead: bytes },
    copies,
    workingSetBytes: copies * bytes,
    cold: copies * bytes >= rotation.coldBytes,
    async bind(host, { engine }) {
      const target = await host.bind(engine, inputs, copies);
      const arithmetic = arithmeticOf(engine, shape.type);
      return { ...target, check: () => checkTarget(target, expected, arithmetic, copies) };
    },
  };
}

/** Holds the outputs of the first and of the last copy against float64; the worse of the two. */
async function checkTarget(
  target: PeerTarget,
  expected: PeerExpected,
  arithmetic: PeerType,
  copies: number,
): Promise<RowCheck> {
  const checks: RowCheck[] = [];
  for (const copy of new Set([0, copies - 1])) {
    checks.push(checkOutput(expected, arithmetic, await target.output(copy)));
  }
  return checks.reduce((a, b) => (b.maxAbsErr > a.maxAbsErr ? b : a));
}

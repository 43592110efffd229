// peerRow.ts: what becomes of a contestant on a shape in the result, with a time or without.
import { messageOf } from '../../src/device/errors.ts';
import { shapeName } from '../run/rows.ts';
import type { PeerRow } from '../schema/peerSchema.ts';
import type { Contestant } from './contestants.ts';
import { peerParams, type PeerShape } from './inputs.ts';
import type { PeerTarget } from './peerTarget.ts';

/** What a row says of what it measures. */
export type Compared = Pick<PeerRow, 'id' | 'params' | 'bytes' | 'copies' | 'workingSetBytes' | 'cold'>;

/** A contestant's row on a shape, with what is known of it in `more`; without that nothing was run. */
export function peerRow(
  { engine, place }: Contestant,
  { id, params, bytes, copies, workingSetBytes, cold }: Compared,
  more: Partial<PeerRow>,
): PeerRow {
  return {
    id,
    place,
    engine,
    params,
    step: '',
    bytes,
    copies,
    workingSetBytes,
    cold,
    check: null,
    time: null,
    warnings: [],
    ...more,
  };
}

/** The row of a contestant whose output was wrong before or after timing: its error, and no time. */
export function wrongRow(
  contestant: Contestant,
  workload: Compared,
  target: Pick<PeerTarget, 'step'>,
  check: NonNullable<PeerRow['check']>,
): PeerRow {
  const { maxAbsErr, bound } = check.after ?? check.before;
  const when = check.after ? 'after' : 'before';
  const error = `wrong result ${when} timing: error ${maxAbsErr.toExponential(2)}, bound ${bound.toExponential(2)}`;
  return peerRow(contestant, workload, { step: target.step, check, error });
}

/** `h32_kv8_d128_t4096_f16`. */
export function shapeId(shape: PeerShape): string {
  return shapeName({ ...peerParams(shape), kType: shape.type, vType: shape.type, cache: 'cold' });
}

/** The first line of an error's message: the rest of a peer's is its stack. */
export function firstLineOf(error: unknown): string {
  return messageOf(error).split('\n')[0]!.trim();
}

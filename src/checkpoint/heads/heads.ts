// heads.ts: which KV heads are merged into which, and in which order the query heads then stand.
import { ShapeError } from '../../device/errors.ts';
import type { HeadCounts } from '../../models/families/headSlots.ts';

/** Which KV head query head h of the source reads: floor(h / G), or h mod Hkv. */
export type HeadMap = 'contiguous' | 'tiled';

export const HEAD_MAPS: readonly HeadMap[] = ['contiguous', 'tiled'];

/** A new number of KV heads for a layer. In the target, query head h reads KV head floor(h / G), always. */
export interface Regrouping {
  readonly source: HeadCounts;
  readonly target: HeadCounts;
  /** For each target KV head the source KV heads it is made from; one, when heads are repeated. */
  readonly members: readonly (readonly number[])[];
  /** For each target query head the source query head that it is. */
  readonly queryOrder: readonly number[];
  /** For each source query head the source KV head it reads. */
  readonly kvHeadOf: readonly number[];
}

/** Throws a ShapeError when a model of these heads cannot have `target` KV heads; both numbers are in the message. */
export function checkKvHeads({ numQHeads, numKvHeads }: HeadCounts, target: number): void {
  if (target > numQHeads) {
    throw new ShapeError(`KV heads (${target}) must be at most the number of query heads (${numQHeads})`);
  }
  if (numQHeads % target !== 0) {
    throw new ShapeError(`query heads (${numQHeads}) must be a multiple of KV heads (${target})`);
  }
  const [more, fewer] = target > numKvHeads ? [target, numKvHeads] : [numKvHeads, target];
  if (more % fewer !== 0) {
    throw new ShapeError(
      `KV heads: ${numKvHeads} cannot become ${target}: the larger must be a multiple of the smaller`,
    );
  }
}

/** Neighbouring heads merged, or every head repeated. `target` was checked by `checkKvHeads`. */
export function regroup(source: HeadCounts, target: number, headMap: HeadMap): Regrouping {
  return regroupAs(source, neighbours(source.numKvHeads, target), headMap);
}

/** Source KV heads by target KV head: the g nearest by number, or one of them repeated. */
export function neighbours(numKvHeads: number, target: number): number[][] {
  return Array.from({ length: target }, (_, t) =>
    target > numKvHeads
      ? [Math.floor((t * numKvHeads) / target)]
      : Array.from({ length: numKvHeads / target }, (_unused, i) => (t * numKvHeads) / target + i),
  );
}

/** The regrouping with these source KV heads in each target KV head. */
export function regroupAs(
  source: HeadCounts,
  members: readonly (readonly number[])[],
  headMap: HeadMap,
): Regrouping {
  const { numQHeads, numKvHeads } = source;
  const groupSize = numQHeads / numKvHeads;
  const kvHeadOf = Array.from({ length: numQHeads }, (_, h) =>
    headMap === 'tiled' ? h % numKvHeads : Math.floor(h / groupSize),
  );
  const readers = (s: number) => kvHeadOf.flatMap((kv, h) => (kv === s ? [h] : []));
  // A repeated head stands in several groups, but its query heads are counted once.
  const order = [...new Set(members.flat())].flatMap(readers);
  return {
    source,
    target: { numQHeads, numKvHeads: members.length },
    members,
    queryOrder: order,
    kvHeadOf,
  };
}

/** True when query heads keep their places. */
export function keepsQueries({ queryOrder }: Regrouping): boolean {
  return queryOrder.every((h, i) => h === i);
}

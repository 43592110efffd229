// headSlots.ts: where the heads lie in a weight: a tensor seen as [outer, slots, rows, inner], a slot being one head.

/** What a head is for: query, key, value, or the part of the output projection that reads a query head's result. */
export type Role = 'q' | 'k' | 'v' | 'o';

/** One head's place in a tensor. */
export interface Slot {
  readonly role: Role;
  readonly head: number;
}

/**
 * Which heads a tensor holds, in which order: those of one role; `qkv`: all of q, then of k, then of v; `grouped`: for
 * each KV head its query heads, its key, its value (with one query head each, that is GPT-NeoX's fused order).
 */
export type SlotOrder = Role | 'qkv' | 'grouped';

export interface HeadCounts {
  readonly numQHeads: number;
  readonly numKvHeads: number;
}

/** The heads of a tensor in the order they lie in. */
export function slotsOf(order: SlotOrder, counts: HeadCounts): Slot[] {
  const { numQHeads, numKvHeads } = counts;
  const all = (role: Role) =>
    Array.from({ length: role === 'q' || role === 'o' ? numQHeads : numKvHeads }, (_, head) => ({
      role,
      head,
    }));
  if (order === 'qkv') return [...all('q'), ...all('k'), ...all('v')];
  if (order !== 'grouped') return all(order);
  const groupSize = numQHeads / numKvHeads;
  return all('k').flatMap(({ head }) => [
    ...all('q').slice(head * groupSize, (head + 1) * groupSize),
    { role: 'k' as const, head },
    { role: 'v' as const, head },
  ]);
}

/** Sizes of a tensor whose axis `axis` is [slots, rows]. */
export interface View {
  readonly outer: number;
  readonly slots: number;
  readonly rows: number;
  readonly inner: number;
}

/** How a tensor of `shape` lies when axis `axis` holds heads of `rows` elements each. */
export function viewOf(shape: readonly number[], axis: number, rows: number): View {
  const product = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1);
  return {
    outer: product(shape.slice(0, axis)),
    slots: shape[axis]! / rows,
    rows,
    inner: product(shape.slice(axis + 1)),
  };
}

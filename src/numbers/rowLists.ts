// rowLists.ts: which rows have an id: lists by which gradients of an embedding table are gathered, so that no two are added at once.

/** Rows by their ids. */
export interface RowLists {
  /** [ids that there are, 3], by id: an id, then its list in `order`, the first and the one behind its last. */
  readonly entries: Uint32Array<ArrayBuffer>;
  /** Numbers of rows, list by list, each from its first row to its last. */
  readonly order: Uint32Array<ArrayBuffer>;
}

/** The lists of rows whose ids (u32) these are. */
export function rowLists(ids: ArrayLike<number>): RowLists {
  const lists = new Map<number, number[]>();
  for (let row = 0; row < ids.length; row++) {
    const list = lists.get(ids[row]!);
    if (list) list.push(row);
    else lists.set(ids[row]!, [row]);
  }
  const entries = new Uint32Array(3 * lists.size);
  const order = new Uint32Array(ids.length);
  let first = 0;
  for (const [i, id] of [...lists.keys()].toSorted((a, b) => a - b).entries()) {
    const list = lists.get(id)!;
    entries.set([id, first, first + list.length], 3 * i);
    order.set(list, first);
    first += list.length;
  }
  return { entries, order };
}

// chunks.ts: new tokens of several sequences cut into passes; pure.

/** Rows of a pass: tokens of all sequences, packed one sequence behind the other. */
export interface PassRows {
  readonly rows: number;
  /** Tokens of each sequence, [B]. */
  readonly counts: readonly number[];
  /** Of each row: token, position in its sequence, and the sequence. */
  readonly ids: readonly number[];
  readonly positions: readonly number[];
  readonly sequences: readonly number[];
  /** Rows that are the last of a sequence's new tokens, and those sequences. */
  readonly lastRows: readonly number[];
  readonly lastOf: readonly number[];
}

/**
 * Cuts tokens, [B] lists, into passes of at most so many rows.
 * @param lengths tokens that each sequence holds already, [B]
 */
export function* cutIntoPasses(
  tokens: readonly (readonly number[])[],
  lengths: readonly number[],
  most: number,
): Generator<PassRows> {
  const taken = tokens.map(() => 0);
  const left = () => tokens.some((list, b) => taken[b]! < list.length);
  while (left()) {
    const counts: number[] = [];
    const [ids, positions, sequences]: [number[], number[], number[]] = [[], [], []];
    const [lastRows, lastOf]: [number[], number[]] = [[], []];
    for (const [b, list] of tokens.entries()) {
      const first = taken[b]!;
      const count = Math.min(list.length - first, most - ids.length);
      counts.push(count);
      for (let i = 0; i < count; i++) {
        ids.push(list[first + i]!);
        positions.push(lengths[b]! + first + i);
        sequences.push(b);
      }
      taken[b] = first + count;
      if (count > 0 && taken[b] === list.length) {
        lastRows.push(ids.length - 1);
        lastOf.push(b);
      }
    }
    yield { rows: ids.length, counts, ids, positions, sequences, lastRows, lastOf };
  }
}

/** Puts whole sources, [B] lists, into passes of at most so many rows. */
export function* wholeInPasses(
  sources: readonly (readonly number[])[],
  most: number,
): Generator<Pick<PassRows, 'rows' | 'counts' | 'ids' | 'positions'>> {
  let next = 0;
  while (next < sources.length) {
    const counts = sources.map(() => 0);
    const ids: number[] = [];
    const positions: number[] = [];
    do {
      const source = sources[next]!;
      counts[next++] = source.length;
      ids.push(...source);
      positions.push(...source.keys());
    } while (next < sources.length && ids.length + sources[next]!.length <= most);
    yield { rows: ids.length, counts, ids, positions };
  }
}

// embedRows.ts: twin of shaders/train/embed_rows.wgsl: a row of a table for each token, and one for its place in its sequence added.

/** Tokens, and the tables' elements, row by row. */
export interface EmbeddedRows {
  readonly tokens: readonly number[];
  readonly width: number;
  /** Rows of a sequence. */
  readonly length: number;
  readonly table: ArrayLike<number>;
  readonly positions?: ArrayLike<number> | undefined;
}

/** [tokens, width] */
export function embedRows({ tokens, width, length, table, positions }: EmbeddedRows): number[] {
  return tokens.flatMap((token, row) =>
    Array.from({ length: width }, (_, i) => {
      const place = positions ? positions[(row % length) * width + i]! : 0;
      return table[token * width + i]! + place;
    }),
  );
}

// embed.ts: twin of shaders/model/embed.wgsl: a row of a table for each token, scaled, and a row for its position added.

/** Tokens at positions, and what tables hold: `embedding` of an id, `position` of a position where models have learned those. */
export interface Embedding {
  readonly ids: readonly number[];
  readonly positions: readonly number[];
  readonly width: number;
  readonly scale: number;
  readonly embedding: (id: number, i: number) => number;
  readonly position?: ((position: number, i: number) => number) | undefined;
}

/** [ids, width] */
export function embed({ ids, positions, width, scale, embedding, position }: Embedding): number[][] {
  return ids.map((id, row) =>
    Array.from({ length: width }, (_, i) => embedding(id, i) * scale + (position?.(positions[row]!, i) ?? 0)),
  );
}

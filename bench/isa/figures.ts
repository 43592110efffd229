// figures.ts: what a pipeline's main loop costs for the work that attention needs, whoever wrote it.
import type { IsaRow } from '../schema/isaSchema.ts';

/** Rows and lanes that the count of instructions for a key is said for: those of AMD's subgroups, in groups of four. */
const KEY = { rows: 4, lanes: 64 };

/** Instructions of the main loop for each multiply-add that attention needs. */
export function instructionsPerMad({ loop }: IsaRow): number | undefined {
  return loop?.multiplyAdds && loop.instructions / loop.multiplyAdds;
}

/** Instructions of the main loop for each key and four query rows, as a subgroup of 64 would need. */
export function instructionsPerKey(row: IsaRow): number | undefined {
  const perRow = instructionsPerRow(row);
  return perRow && perRow * KEY.rows;
}

/** Instructions of the main loop for each query row and key, as a subgroup of 64 would need. */
export function instructionsPerRow(row: IsaRow): number | undefined {
  const perMad = instructionsPerMad(row);
  return perMad && (perMad * madsOf(row)) / KEY.lanes;
}

/** Bytes that all lanes load from storage buffers in the main loop, for each query row and key. */
export function bytesPerRow(row: IsaRow): number | undefined {
  return row.loop?.multiplyAdds && (row.loop.loadBytes / row.loop.multiplyAdds) * madsOf(row);
}

/** Multiply-adds of a query row and a key: D with the key, D with the value. */
function madsOf({ cases }: IsaRow): number {
  return 2 * Number(/_d(\d+)_/.exec(cases[0] ?? '')?.[1]);
}

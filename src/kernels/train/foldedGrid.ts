// foldedGrid.ts: grids of more workgroups than one dimension may have.
import type { Grid } from '../kernel.ts';

/** Most workgroups in a dimension that every device has. */
const MOST = 65535;

/** A grid of so many workgroups, or a few more, in x and y; kernels number them by `group.y * groups.x + group.x`. */
export function foldedGrid(workgroups: number): Grid {
  const rows = Math.max(1, Math.ceil(workgroups / MOST));
  return [Math.ceil(workgroups / rows), rows, 1];
}

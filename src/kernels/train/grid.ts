// grid.ts: grids of more workgroups than one dimension may have.
import type { Grid } from '../kernel.ts';

/** Workgroups that WebGPU guarantees in a dimension. */
const MOST = 65535;

/** So many workgroups, or few more, counted along x and on along y: number y * width + x. */
export function foldedGrid(workgroups: number): Grid {
  const rows = Math.ceil(workgroups / MOST);
  return [Math.ceil(workgroups / rows), rows, 1];
}

/** Columns by rows of workgroups; rows, or few more, are counted along y and on along z. */
export function foldedRows(columns: number, rows: number): Grid {
  const [height, depth] = foldedGrid(rows);
  return [columns, height, depth];
}

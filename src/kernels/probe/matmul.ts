// matmul.ts: a plain matrix product (shaders/probe/matmul.wgsl), by which the prefill kernel is judged.
import source from '../../../shaders/probe/matmul.wgsl?raw';
import { link } from '../../device/wgsl.ts';
import type { Grid, Kernel } from '../kernel.ts';
import { checkWhole } from '../shape.ts';

/** [M, K] times [K, N]. */
export interface MatmulSizes {
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** Invocations of a workgroup, and the rows and vec4s of the product that each has. */
export interface MatmulVariant {
  readonly wgSize: number;
  readonly rows: number;
  readonly columns: number;
}

/** The linked kernel and its grid. Throws ShapeError for sizes that the variant leaves a rest of. */
export function matmul({ m, n, k }: MatmulSizes, variant: MatmulVariant): { kernel: Kernel; grid: Grid } {
  const { wgSize, rows, columns } = variant;
  const grid: Grid = [n / 4 / (wgSize * columns), m / rows, 1];
  checkWhole('matmul: N / (4 * wgSize * columns)', grid[0], 1, 65535);
  checkWhole('matmul: M / rows', grid[1], 1, 65535);
  checkWhole('matmul: K / 4', k / 4, 1, 2 ** 24);
  const consts = { K4: k / 4, N4: n / 4, WG_SIZE: wgSize, ROWS: rows, COLUMNS: columns, FOUR: 4 };
  return { kernel: { name: 'matmul', source: link({ kernel: source, libs: [], consts }) }, grid };
}

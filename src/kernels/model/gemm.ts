// gemm.ts: many rows times a matrix of weights (shaders/model/gemm.wgsl): the results of a product, in other tiles.
import sumsOfRowsShared from '../../../shaders/lib/model/sums_of_rows_shared.wgsl?raw';
import source from '../../../shaders/model/gemm.wgsl?raw';
import { link } from '../../device/wgsl.ts';
import type { Grid, Kernel } from '../kernel.ts';
import { formLibs, type ProductForm, type ProductRows } from './product.ts';
import { blocksOf, STEP_FOURS, type MatrixSizes } from './weightsLib.ts';

/** Sizes of its workgroups, by a device's profile: all powers of two. */
export interface GemmVariant {
  /** Rows of a pass from which on it takes the place of a product. */
  readonly fromRows: number;
  /** Neighbouring rows of an invocation. */
  readonly rows: number;
  /** Outputs of an invocation at most, of both matrices together where there are two; STEP_FOURS times as many divide a tile. */
  readonly columns: number;
  /** Invocations of a workgroup along the rows; along the outputs there are STEP_FOURS. */
  readonly rowLanes: number;
}

/** Outputs of an invocation, of each matrix: the means and deviations of a LayerNorm take registers too. */
function columnsOf({ matrices }: MatrixSizes, { norm }: ProductForm, { columns }: GemmVariant): number {
  return Math.max(1, columns / matrices / (norm === 'layer' ? 2 : 1));
}

/** The linked kernel. Its bindings, and their words, are those of a product. */
export function gemm(
  sizes: MatrixSizes,
  form: ProductForm,
  variant: GemmVariant,
  { inputStride, stride, others }: ProductRows,
): Kernel {
  const columns = columnsOf(sizes, form, variant);
  const consts = {
    X4: inputStride / 4,
    Y: stride,
    BLOCKS: blocksOf(sizes),
    MATRICES: sizes.matrices,
    TILE: sizes.tile,
    SPAN: columns * STEP_FOURS,
    COLUMNS: columns,
    ROWS: variant.rows,
    COUNTED: false,
    ROW_LANES: variant.rowLanes,
    COLUMN_LANES: STEP_FOURS,
    ...(others !== undefined && { OTHERS: others }),
  };
  return {
    name: 'gemm',
    source: link({ kernel: source, libs: formLibs(sizes, form, sumsOfRowsShared), consts }),
  };
}

/** Workgroups for so many tiles and rows. */
export function gemmGrid(
  sizes: MatrixSizes,
  form: ProductForm,
  variant: GemmVariant,
  { tiles, rows }: { readonly tiles: number; readonly rows: number },
): Grid {
  const span = columnsOf(sizes, form, variant) * STEP_FOURS;
  return [(tiles * sizes.tile) / span, Math.ceil(rows / (variant.rows * variant.rowLanes)), 1];
}

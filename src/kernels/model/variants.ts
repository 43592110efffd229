// variants.ts: sizes of products by what a device is.
import type { DeviceFacts } from '../../device/deviceFacts.ts';
import type { GemmVariant } from './gemm.ts';
import { SUBGROUP_SIZES, type ProductForm, type ProductVariant } from './product.ts';
import type { MatrixSizes } from './weightsLib.ts';

type Kind = Pick<DeviceFacts, 'software' | 'subgroups' | 'subgroupMinSize' | 'subgroupMaxSize'>;

/** Outputs of an invocation on a CPU: they share a reading of the inputs. */
const CPU_COLUMNS = 4;

/**
 * Subgroups of a software adapter, whose size is then known. What all of their invocations read alike it reads for each of them, which
 * costs as much as the weights: there they read it together (bench/NOTES.md).
 */
function cpuSubgroup({ software, subgroups, subgroupMinSize, subgroupMaxSize }: Kind) {
  if (!software || !subgroups || subgroupMinSize !== subgroupMaxSize) return undefined;
  return SUBGROUP_SIZES.find((size) => size === subgroupMinSize);
}

/** Outputs of a tile: a CPU's are those of one subgroup, which reads a tile from end to end; a GPU wants workgroups. */
export function tileOf(kind: Kind): number {
  const subgroup = cpuSubgroup(kind);
  return subgroup ? subgroup * CPU_COLUMNS : 32;
}

/** How passes are multiplied: few rows by products, and many, where a device gains by it, by tiles of both. */
export interface PassVariant extends ProductVariant {
  readonly gemm?: GemmVariant;
  /** Rows of each pass, where all have as many. */
  readonly passRows?: number;
}

/**
 * On GPUs 32 rows by 32 outputs a workgroup, 4 by 4 an invocation, or half the columns where Intel's registers have more to hold. Up to 8 rows
 * products read the weights no more than twice, and most rows of a gemm would be idle: reasoned, not measured, for want of a GPU.
 * Software adapters keep products: on lavapipe gemm took 1.5 times as long at 64 rows (bench/NOTES.md).
 */
const GPU_GEMM: GemmVariant = { fromRows: 9, rows: 4, columns: 4, rowLanes: 8 };

/** Products of a token for each sequence, and of chunks of tokens. */
export function productVariants(
  kind: Kind,
  batch: number,
): { readonly one: PassVariant; readonly chunk: PassVariant } {
  const subgroup = cpuSubgroup(kind);
  const ofRows = (rows: number): ProductVariant =>
    subgroup
      ? { rows, columns: CPU_COLUMNS, slices: 1, subgroup }
      : { rows, columns: 1, slices: rows > 2 ? 4 : 8 };
  // Eight rows would not fit Intel's registers.
  return {
    one: { ...ofRows(rowsFor(batch, 4)), passRows: batch },
    chunk: { ...ofRows(4), ...(!kind.software && { gemm: GPU_GEMM }) },
  };
}

/**
 * The variant for a product's form: on a GPU the means of a LayerNorm, beside two matrices, take the registers of half of four rows. Seen in
 * Intel's compiler, which spilled.
 */
export function fittedTo(
  variant: PassVariant,
  { matrices }: Pick<MatrixSizes, 'matrices'>,
  { norm }: Pick<ProductForm, 'norm'>,
): PassVariant {
  const crowded = variant.subgroup === undefined && norm === 'layer' && matrices > 1;
  return crowded ? { ...variant, rows: Math.min(variant.rows, 2) } : variant;
}

/** Rows that share a reading of the weights, no more than there are. */
function rowsFor(batch: number, most: number): number {
  return Math.min(most, 2 ** Math.ceil(Math.log2(batch)));
}

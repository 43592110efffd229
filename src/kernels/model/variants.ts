// variants.ts: sizes of products by what a device is.
import type { DeviceFacts } from '../../device/deviceFacts.ts';
import { SUBGROUP_SIZES, type ProductVariant } from './product.ts';

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

/** Products of a token for each sequence, and of chunks of tokens. */
export function productVariants(
  kind: Kind,
  batch: number,
): { readonly one: ProductVariant; readonly chunk: ProductVariant } {
  const subgroup = cpuSubgroup(kind);
  const ofRows = (rows: number): ProductVariant =>
    subgroup
      ? { rows, columns: CPU_COLUMNS, slices: 1, subgroup }
      : { rows, columns: 1, slices: rows > 2 ? 4 : 8 };
  // Eight rows would not fit Intel's registers.
  return { one: ofRows(rowsFor(batch, 4)), chunk: ofRows(4) };
}

/** Rows that share a reading of the weights, no more than there are. */
function rowsFor(batch: number, most: number): number {
  return Math.min(most, 2 ** Math.ceil(Math.log2(batch)));
}

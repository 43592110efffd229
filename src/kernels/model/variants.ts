// variants.ts: sizes of products by what a device is.
import type { DeviceFacts } from '../../device/deviceFacts.ts';
import type { GemmVariant } from './gemm.ts';
import type { ProductVariant } from './product.ts';

type Kind = Pick<DeviceFacts, 'software'>;

/** Invocations that a software adapter runs as one: what all of them read alike is read once. */
const CPU_LANES = 8;

/** Outputs of a tile. On a CPU an invocation has several, which share a reading of the inputs; a GPU wants workgroups. */
export function tileOf({ software }: Kind): number {
  return software ? 64 : 32;
}

/** How passes of chunks are multiplied: few rows by products, and many, where a device gains by it, by tiles of both. */
export interface ChunkVariant extends ProductVariant {
  readonly gemm?: GemmVariant;
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
): { readonly one: ProductVariant; readonly chunk: ChunkVariant } {
  // A barrier costs a CPU more than it saves; a GPU needs the invocations.
  if (kind.software) {
    const most = tileOf(kind) / CPU_LANES;
    const cpu = (rows: number) => ({ rows, columns: rows > 1 ? most / 2 : most, slices: 1, alone: true });
    return { one: cpu(rowsFor(batch, 4)), chunk: cpu(4) };
  }
  // Eight rows would not fit Intel's registers.
  const gpu = (rows: number) => ({ rows, columns: 1, slices: rows > 2 ? 4 : 8, alone: false });
  return { one: gpu(rowsFor(batch, 4)), chunk: { ...gpu(4), gemm: GPU_GEMM } };
}

/** Rows that share a reading of the weights, no more than there are. */
function rowsFor(batch: number, most: number): number {
  return Math.min(most, 2 ** Math.ceil(Math.log2(batch)));
}

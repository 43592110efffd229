// variants.ts: sizes of products by what a device is.
import type { DeviceFacts } from '../../device/deviceFacts.ts';
import type { ProductVariant } from './product.ts';

/** Most rows that share a reading of the weights: more would not fit registers. */
const MOST_ROWS = 8;

/** Products of a token for each sequence, and of chunks of tokens. */
export function productVariants(
  { software }: Pick<DeviceFacts, 'software'>,
  batch: number,
): { readonly one: ProductVariant; readonly chunk: ProductVariant } {
  const rows = Math.min(MOST_ROWS, 2 ** Math.ceil(Math.log2(batch)));
  // A barrier costs a CPU more than it saves; a GPU needs the invocations.
  return software
    ? { one: { rows, slices: 1 }, chunk: { rows: MOST_ROWS, slices: 1 } }
    : { one: { rows, slices: rows > 2 ? 4 : 8 }, chunk: { rows: MOST_ROWS, slices: 4 } };
}

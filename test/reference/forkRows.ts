// forkRows.ts: twin of shaders/cache/fork_rows.wgsl: rows of each head go to others, of another sequence or page.
import type { FirstRow, RowsLayout } from '../../src/numbers/elements.ts';
import { placeOf } from './storedRows.ts';

/** The bytes of a layer's K or V after a copy of `kvLen` tokens. */
export function forkRows(
  layout: RowsLayout,
  numKvHeads: number,
  { from, to, kvLen }: { readonly from: FirstRow; readonly to: FirstRow; readonly kvLen: number },
  before: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  const after = before.slice();
  const rowBytes = placeOf(layout, 1).elements.begin; // what pads a row of int4 goes with it
  for (let hk = 0; hk < numKvHeads; hk++) {
    for (let t = 0; t < kvLen; t++) {
      const rowOf = ({ sequence, slot }: FirstRow) =>
        (sequence * numKvHeads + hk) * layout.capacity + slot + t;
      const [source, target] = [placeOf(layout, rowOf(from)), placeOf(layout, rowOf(to))];
      after.set(
        before.subarray(source.elements.begin, source.elements.begin + rowBytes),
        target.elements.begin,
      );
      after.set(before.subarray(source.scales.begin, source.scales.end), target.scales.begin);
    }
  }
  return after;
}

// forkRows.ts: twin of shaders/cache/fork_rows.wgsl: the first rows of a sequence's heads go to another sequence.
import type { RowsLayout } from '../../src/numbers/elements.ts';
import { placeOf } from './storedRows.ts';

/** The bytes of a layer's K or V after a fork of `kvLen` tokens. */
export function forkRows(
  layout: RowsLayout,
  numKvHeads: number,
  { from, to, kvLen }: { readonly from: number; readonly to: number; readonly kvLen: number },
  before: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  const after = before.slice();
  const rowBytes = placeOf(layout, 1).elements.begin; // what pads a row of int4 goes with it
  for (let hk = 0; hk < numKvHeads; hk++) {
    for (let t = 0; t < kvLen; t++) {
      const source = placeOf(layout, (from * numKvHeads + hk) * layout.capacity + t);
      const target = placeOf(layout, (to * numKvHeads + hk) * layout.capacity + t);
      after.set(
        before.subarray(source.elements.begin, source.elements.begin + rowBytes),
        target.elements.begin,
      );
      after.set(before.subarray(source.scales.begin, source.scales.end), target.scales.begin);
    }
  }
  return after;
}

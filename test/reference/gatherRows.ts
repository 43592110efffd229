// gatherRows.ts: twin of shaders/model/gather_rows.wgsl: rows of a matrix copied to other places of another.

/** Copies rows `from` of [rows, width] to the places `to` of `into`. */
export function gatherRows(
  x: ArrayLike<number>,
  width: number,
  { from, to }: { readonly from: readonly number[]; readonly to: readonly number[] },
  into: number[],
): void {
  for (const [i, row] of from.entries()) {
    for (let d = 0; d < width; d++) into[to[i]! * width + d] = x[row * width + d]!;
  }
}

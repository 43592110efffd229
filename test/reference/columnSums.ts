// columnSums.ts: twin of shaders/train/column_sums.wgsl: sums of columns over each part of the rows.

/** First row of a part, and the first that is not of it any more: shares are equal but for the last ones, which may be empty. */
export function partRows(rows: number, parts: number, part: number): [first: number, end: number] {
  const share = Math.ceil(rows / parts);
  return [Math.min(rows, part * share), Math.min(rows, (part + 1) * share)];
}

/** [parts, width] of rows [rows, width]. */
export function columnSums(rows: readonly (readonly number[])[], parts: number): number[][] {
  return Array.from({ length: parts }, (_, part) => {
    const own = rows.slice(...partRows(rows.length, parts, part));
    return rows[0]!.map((__, i) => own.reduce((sum, row) => sum + row[i]!, 0));
  });
}

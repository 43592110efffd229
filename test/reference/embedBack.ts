// embedBack.ts: twin of shaders/train/embed_back.wgsl: gradients of embedded rows, added to those of the rows of the table.

/** The gradient of the table [vocabulary, width], which was `before`, by the tokens of rows and the gradients of those rows [rows, width]. */
export function embedBack(
  tokens: readonly number[],
  width: number,
  dX: ArrayLike<number>,
  before: ArrayLike<number>,
): number[] {
  const dTable = Array.from(before);
  for (const [row, token] of tokens.entries())
    for (let i = 0; i < width; i++) dTable[token * width + i]! += dX[row * width + i]!;
  return dTable;
}

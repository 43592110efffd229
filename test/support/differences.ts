// differences.ts: gradients by central differences, which hand-written ones are held against.

/** The gradient of a function at rows of numbers: (f(x + h) - f(x - h)) / 2h for each; within about 1e-9 of smooth functions near 1. */
export function differences(
  rows: readonly (readonly number[])[],
  f: (rows: readonly (readonly number[])[]) => number,
  h = 1e-5,
): number[][] {
  const moved = rows.map((row) => [...row]);
  return rows.map((row, r) =>
    row.map((x, i) => {
      moved[r]![i] = x + h;
      const above = f(moved);
      moved[r]![i] = x - h;
      const below = f(moved);
      moved[r]![i] = x;
      return (above - below) / (2 * h);
    }),
  );
}

/** The sum of products, element by element: a loss whose gradient by the one is the other. */
export function inner(a: readonly (readonly number[])[], b: readonly (readonly number[])[]): number {
  return a.reduce((sum, row, r) => sum + row.reduce((all, x, i) => all + x * b[r]![i]!, 0), 0);
}

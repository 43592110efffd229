// rope.ts: twin of shaders/lib/append/norm_rms.wgsl and rope_pairs.wgsl, in float64: a row's norm, and its turn.

/** x / sqrt(mean(x²) + eps) * weight. */
export function normalised(row: readonly number[], weights: ArrayLike<number>, eps: number): number[] {
  const mean = row.reduce((sum, x) => sum + x * x, 0) / row.length;
  return row.map((x, d) => (x / Math.sqrt(mean + eps)) * weights[d]!);
}

/** Turns each pair of a row's first elements by `position` times its frequency, and makes it `factor` times as long. */
export function turned(
  row: readonly number[],
  style: 'half' | 'interleaved',
  frequencies: ArrayLike<number>,
  factor: number,
  position: number,
): number[] {
  const result = [...row];
  for (let pair = 0; pair < frequencies.length; pair++) {
    const [x, y] =
      style === 'half' ? ([pair, pair + frequencies.length] as const) : ([2 * pair, 2 * pair + 1] as const);
    const angle = position * frequencies[pair]!;
    const [c, s] = [factor * Math.cos(angle), factor * Math.sin(angle)];
    result[x] = row[x]! * c - row[y]! * s;
    result[y] = row[x]! * s + row[y]! * c;
  }
  return result;
}

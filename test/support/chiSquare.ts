// chiSquare.ts: whether counts agree with probabilities: Pearson's chi-square test.

/**
 * Throws when counts are less likely than 1 in 10,000 under the probabilities, or where something of probability 0 was counted. Outcomes of
 * which fewer than five are expected are taken together.
 */
export function expectFrequencies(
  what: string,
  counts: readonly number[],
  probabilities: readonly number[],
): void {
  const all = counts.reduce((sum, count) => sum + count, 0);
  let [statistic, cells] = [0, 0];
  const rare = { count: 0, expected: 0 };
  const add = (count: number, expected: number) => {
    statistic += (count - expected) ** 2 / expected;
    cells++;
  };
  for (const [i, count] of counts.entries()) {
    const expected = all * probabilities[i]!;
    if (expected === 0 && count > 0)
      throw new Error(`${what}: ${count} of outcome ${i}, which is not possible`);
    if (expected >= 5) add(count, expected);
    else {
      rare.count += count;
      rare.expected += expected;
    }
  }
  if (rare.expected >= 5) add(rare.count, rare.expected);
  if (cells < 2) throw new Error(`${what}: ${cells} outcomes say nothing`);
  const critical = criticalValue(cells - 1);
  if (!(statistic <= critical))
    throw new Error(`${what}: chi-square ${statistic}, expected at most ${critical}`);
}

/** The value that chi-square exceeds 1 time in 10,000, for so many degrees of freedom (Wilson and Hilferty 1931). */
export function criticalValue(freedom: number): number {
  const z = 3.719;
  const spread = 2 / (9 * freedom);
  return freedom * (1 - spread + z * Math.sqrt(spread)) ** 3;
}

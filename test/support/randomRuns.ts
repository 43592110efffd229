// randomRuns.ts: how many random cases a test of properties tries.

/** So many, or twice as many with GQA_MORE_RUNS=1. */
export function runsOf(count: number): number {
  return import.meta.env.GQA_MORE_RUNS ? 2 * count : count;
}

// plausible.ts: whether a result that came from elsewhere can be shown: its fields have their types, but types know no limits. No DOM.
import type { BenchResult, BenchRow } from '../../bench/schema/schema.ts';
import { ENOUGH_SAMPLES } from '../../bench/schema/stats.ts';
import { GqaError } from '../../src/index.ts';

const MOST_ROWS = 1000;
const MOST_TOKENS = 2 ** 26;
const MOST_SEQUENCES = 2 ** 16;

/** `8q1s4k_30q1s512`: each group may stand for thousands of sequences. */
const LONGEST_REQUESTS = 200;

/** Throws GqaError, naming the row, for sizes that no run has: showing them would take the page's time or memory. */
export function checkPlausible({ results }: BenchResult): void {
  if (results.length > MOST_ROWS)
    throw new GqaError('result', `expected at most ${MOST_ROWS} rows, got ${results.length}`);
  for (const row of results) {
    const fault = sizeFault(row) ?? intervalFault(row);
    if (fault !== undefined) throw new GqaError('result', `${row.id.slice(0, 80)}: ${fault}`);
  }
}

function sizeFault({ params }: BenchRow): string | undefined {
  const { heads, kvHeads, headDim, batch, depth, capacity, requests = '' } = params;
  const sizes = Object.entries({ heads, kvHeads, headDim, depth, capacity, batch });
  const bad = sizes.find(
    ([name, size]) => !Number.isInteger(size) || size > (name === 'batch' ? MOST_SEQUENCES : MOST_TOKENS),
  );
  if (bad) return `its ${bad[0]} is ${bad[1]}`;
  return requests.length > LONGEST_REQUESTS ? 'it has too many requests' : undefined;
}

/** Tables and comparisons take the ends of an interval for ends. */
function intervalFault({ time }: BenchRow): string | undefined {
  if (!time || time.samples === undefined) return undefined;
  const { samples, median, ci95 } = time;
  const isOrdered = ci95 !== null && 0 < ci95[0] && ci95[0] <= median && median <= ci95[1];
  return isOrdered && samples >= ENOUGH_SAMPLES ? undefined : 'its interval does not hold its median';
}

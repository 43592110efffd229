// speedUp.ts: how much faster rows are than the MHA row beside them, against what the bytes saved would give.
import { typesName } from '../../src/numbers/elements.ts';
import { formatBytes, formatSignificant } from '../text/format.ts';
import { loadName } from '../run/rows.ts';
import { variationText } from '../run/variations.ts';
import type { BenchRow, CeilingContext, RowParams } from '../schema/schema.ts';
import { sampleCount } from '../schema/samples.ts';
import { ENOUGH_SAMPLES } from '../schema/stats.ts';

/** Below this share of the ideal speed-up a note says where the time goes. */
const FAR_FROM_IDEAL = 0.8;

/** Rows that differ only in KV heads. */
function family(params: RowParams): string {
  return JSON.stringify({ ...params, kvHeads: 0 });
}

/** The MHA row that a row is compared with: of the same run, and the same in all but KV heads. */
export function baseOf(rows: readonly BenchRow[], row: BenchRow): BenchRow | undefined {
  const { heads } = row.params;
  return rows.find(({ params }) => params.kvHeads === heads && family(params) === family(row.params));
}

/** Why no row of a family can be compared with its MHA row; undefined when that one has a time. */
function baseFault(rows: readonly BenchRow[], row: BenchRow): string | undefined {
  const base = baseOf(rows, row);
  if (!base) return 'this run has none';
  return base.time ? undefined : 'it has no time';
}

/** A row's time beside that of its MHA row. */
export interface SpeedUp {
  readonly baseline: BenchRow;
  readonly real: number;
  /** What equal bytes per second would give. */
  readonly ideal: number;
  /** Whether both times settled, each of enough samples to tell. */
  readonly settled: boolean;
}

/** Whether a time is known well: fewer samples may all be alike by chance. */
function isSettled({ time, warnings }: BenchRow): boolean {
  return !warnings.includes('noisy') && time !== null && sampleCount(time) >= ENOUGH_SAMPLES;
}

/** Undefined without a time, and without an MHA row that has one. */
export function speedUp(rows: readonly BenchRow[], row: BenchRow): SpeedUp | undefined {
  const baseline = baseOf(rows, row);
  if (!row.time || !baseline?.time || row.bytes.kvRead === 0) return undefined;
  return {
    baseline,
    real: baseline.time.median / row.time.median,
    // A prompt's time is arithmetic, which sharing heads does not save.
    ideal: row.params.prompt === undefined ? baseline.bytes.kvRead / row.bytes.kvRead : 1,
    settled: [row, baseline].every(isSettled),
  };
}

/** What stands in the column of speed-ups of a timed row that has none. */
const NO_RATIO = '—';

/** `4.00× (4.00×)`, `~4.00× (4.00×)` where a time did not settle; of the MHA row itself `1.00×`. */
export function speedUpCell(rows: readonly BenchRow[], row: BenchRow): string {
  const ratio = speedUp(rows, row);
  if (!ratio) return NO_RATIO;
  if (ratio.baseline === row) return '1.00×';
  const mark = ratio.settled ? '' : '~';
  return `${mark}${formatSignificant(ratio.real, 3)}× (${formatSignificant(ratio.ideal, 3)}×)`;
}

/** What the mark of a speed-up says, where one has it. */
export function roughSpeedUps(rows: readonly BenchRow[], shown: readonly BenchRow[]): string[] {
  const rough = shown.some((row) => {
    const ratio = speedUp(rows, row);
    return ratio !== undefined && ratio.baseline !== row && !ratio.settled;
  });
  return rough
    ? [
        `~ marks a speed-up of two times that did not both settle, or have fewer than ${ENOUGH_SAMPLES} samples.`,
      ]
    : [];
}

/** Why rows have no speed-up, a line for each reason. */
export function missingBases(rows: readonly BenchRow[], shown: readonly BenchRow[]): string[] {
  const tests = new Map<string, Set<string>>();
  for (const row of shown) {
    const fault = row.time ? baseFault(rows, row) : undefined;
    if (fault !== undefined) tests.set(fault, (tests.get(fault) ?? new Set()).add(loadOf(row)));
  }
  return [...tests].map(
    ([fault, loads]) => `no speed-up @ ${[...loads].join(', ')}: it is against the mha row, and ${fault}.`,
  );
}

/** Of each family the cold row with the fewest KV heads that stays far from its ideal speed-up. */
export function farFromIdeal(rows: readonly BenchRow[]): BenchRow[] {
  const fewest = new Map<string, BenchRow>();
  for (const row of rows) {
    const ratio = speedUp(rows, row);
    // The read ceiling says nothing of what a last-level cache may hold.
    if (!ratio?.settled || !row.cold || !ratio.baseline.cold) continue;
    if (ratio.real >= FAR_FROM_IDEAL * ratio.ideal) continue;
    const found = fewest.get(family(row.params));
    if (!found || row.params.kvHeads < found.params.kvHeads) fewest.set(family(row.params), row);
  }
  return [...fewest.values()];
}

/** How a timed row's time divides into reading KV at the ceiling and all else, in ns. */
export function partsOf({ readGBps }: Pick<CeilingContext, 'readGBps'>, row: BenchRow) {
  const total = row.time?.median ?? 0;
  const reading = Math.min(total, row.bytes.kvRead / readGBps);
  return { total, reading, rest: total - reading };
}

/** Where the time of a row of `farFromIdeal` goes, beside its MHA row. */
export function timePartsSentence(rows: readonly BenchRow[], ceiling: CeilingContext, row: BenchRow): string {
  const { real, ideal, baseline } = speedUp(rows, row)!;
  const { kernel, cache } = row.params;
  const [own, base] = [partsOf(ceiling, row), partsOf(ceiling, baseline)];
  const marks = [...(kernel === 'auto' ? [] : [kernel]), ...(cache === 'hot' ? ['hot'] : [])];
  const name = `${row.variant} ${typesName(row.params)}${marks.length > 0 ? ` (${marks.join(', ')})` : ''}`;
  return (
    `${name} @ ${loadOf(row)}${variationText(row.params)} reads ${formatBytes(row.bytes.kvRead)}, ${us(own.reading)} µs at the ceiling; the other ` +
    `${us(own.rest)} µs (${Math.round((100 * own.rest) / own.total)} %; mha: ${us(base.rest)} µs) shrank less than the bytes, ` +
    `so it gets ${formatSignificant(real, 3)}× and not ${formatSignificant(ideal, 3)}×.`
  );
}

function loadOf({ params }: BenchRow): string {
  return `${loadName(params)}${params.batch > 1 && !params.requests ? ` × ${params.batch}` : ''}`;
}

function us(ns: number): string {
  return formatSignificant(ns / 1000, 3);
}

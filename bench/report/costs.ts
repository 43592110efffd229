// costs.ts: what pages, windows, features and cascades cost: rows beside the one of the standard step, and prompts by tokens per second.
import { isFeatured, isVaried } from '../run/variations.ts';
import type { BenchRow } from '../schema/schema.ts';
import { timeRatio } from '../schema/samples.ts';
import { ENOUGH_SAMPLES } from '../schema/stats.ts';
import { formatSignificant, type Column } from '../text/format.ts';

/**
 * The row that is the same but for pages, window, features and a shared prefix, of which it has none; of a cascade the plain step; of a row
 * without them that of one position and no append.
 */
export function standardOf(rows: readonly BenchRow[], row: BenchRow): BenchRow | undefined {
  const { cascade, ...plain } = row.params;
  const { pageSize: _page, window: _window, features: _features, sharedPrefix: _prefix, ...step } = plain;
  const { positions: _positions, append: _append, ...standard } = step;
  const key = JSON.stringify(cascade ? plain : isFeatured(row.params) ? step : standard);
  return rows.find((other) => JSON.stringify(other.params) === key);
}

/** A row's time over that of the standard step, and the 95 % interval of that; undefined without both times. */
export function costOf(
  rows: readonly BenchRow[],
  row: BenchRow,
): { readonly ratio: number; readonly interval: readonly [number, number] | null } | undefined {
  const standard = isVaried(row.params) ? standardOf(rows, row) : undefined;
  if (!standard?.time || !row.time) return undefined;
  return {
    ratio: row.time.median / standard.time.median,
    interval: timeRatio(standard.time, row.time),
  };
}

/** Tokens of a prompt per second of a layer's attention. */
export function tokensPerSecond({ params: { prompt, batch }, time }: BenchRow): number | undefined {
  return time && prompt !== undefined ? (batch * prompt) / (time.median / 1e9) : undefined;
}

/** The columns that these rows call for. */
export function costColumns(rows: readonly BenchRow[]): Column[] {
  return [
    ...(rows.some(({ params }) => params.prompt !== undefined)
      ? [{ title: 'tokens/s', align: 'right' } as const]
      : []),
    ...(rows.some(({ params }) => isVaried(params))
      ? [{ title: 'vs standard', align: 'right' } as const]
      : []),
  ];
}

/** The cells of those columns. */
export function costCells(rows: readonly BenchRow[], row: BenchRow): string[] {
  const titles = costColumns(rows).map(({ title }) => title);
  return titles.map((title) => (title === 'tokens/s' ? rateCell(row) : costCell(rows, row)));
}

function rateCell(row: BenchRow): string {
  const rate = tokensPerSecond(row);
  return rate === undefined ? '' : formatSignificant(rate, 3);
}

/** `1.04× [1.02–1.06]`. */
function costCell(rows: readonly BenchRow[], row: BenchRow): string {
  const cost = costOf(rows, row);
  if (!cost) return '';
  const digits = (ratio: number) => ratio.toFixed(2);
  const interval = cost.interval ? ` [${cost.interval.map(digits).join('–')}]` : '';
  return `${digits(cost.ratio)}×${interval}`;
}

/** What the columns say. */
export function costNotes(rows: readonly BenchRow[]): string[] {
  const titles = costColumns(rows).map(({ title }) => title);
  return [
    ...(titles.includes('vs standard')
      ? [
          `vs standard: a row's time over that of the same step without pages, window and features (a cascade's over that of the plain step on the same contents), and the 95 % interval of that ratio from ${ENOUGH_SAMPLES} samples on.`,
        ]
      : []),
    ...(rows.some(({ params: { append, positions } }) => append || positions !== undefined)
      ? [
          'A tree is against the step of as many positions, RoPE and QK-norm against the step with an append; those steps themselves against that of one position and no append.',
        ]
      : []),
    ...(titles.includes('tokens/s')
      ? [
          "tokens/s: of a prompt, through one layer's attention; six rows of its output are held against the reference.",
        ]
      : []),
  ];
}

// report.ts: a result as people read it: the header, the Markdown table, the notes.
import { typesName } from '../../src/numbers/elements.ts';
import { formatBytes, formatSignificant, markdownTable, type Column } from '../text/format.ts';
import { isUntimed, isWrong } from '../run/rowResult.ts';
import { halfOf } from '../run/sampling.ts';
import type { BenchContext, BenchResult, BenchRow, CeilingContext, RowTime } from '../schema/schema.ts';
import { costCells, costColumns, costNotes } from './costs.ts';
import { farFromIdeal, missingBases, roughSpeedUps, speedUpCell, timePartsSentence } from './speedUp.ts';
import { runLines } from './runLines.ts';
import { ceilingShare, gbPerSecond } from '../schema/rates.ts';
import { sampleCount, timeInterval } from '../schema/samples.ts';
import { ENOUGH_SAMPLES, median } from '../schema/stats.ts';
import { warmthNotes, warmthOf } from './warmth.ts';

const COLUMNS: readonly Column[] = [
  { title: 'model', align: 'left' },
  { title: 'variant', align: 'left' },
  { title: 'heads q/kv', align: 'right' },
  { title: 'KV type', align: 'left' },
  { title: 'KV read', align: 'right' },
  { title: 'kernel', align: 'left' },
  { title: 'test', align: 'left' },
  { title: 'µs (median)', align: 'right' },
  { title: 'GB/s', align: 'right' },
  { title: '% ceiling', align: 'right' },
  { title: 'vs mha (ideal)', align: 'right' },
  { title: 'wall µs', align: 'right' },
  { title: 'record µs', align: 'right' },
];

/** The table of all rows, or of those to show; each is compared with rows of the whole result. */
export function resultTable(result: BenchResult, shown: readonly BenchRow[] = result.results): string {
  return markdownTable(
    [...COLUMNS, ...costColumns(result.results)],
    shown.map((row) => cells(result, row)),
  );
}

function cells(result: BenchResult, row: BenchRow): string[] {
  const { params } = row;
  const batch = params.batch > 1 && !params.requests ? ` × ${params.batch}` : '';
  return [
    params.model,
    row.variant,
    `${params.heads}/${params.kvHeads}`,
    typesName(params),
    row.time ? formatBytes(row.bytes.kvRead) : '',
    kernelCell(row),
    `${row.test}${batch}`,
    ...timeCells(result.results, result.context.ceiling, row),
    ...hostCells(row),
    ...costCells(result.results, row),
  ];
}

/** Wall time of a step, and CPU time of recording it for one layer. */
function hostCells({ time, host }: BenchRow): string[] {
  if (!time || !host) return ['', ''];
  const { recordNs } = host;
  return [us(median(time.wallNs), 4), recordNs === null ? '' : us(recordNs, 2)];
}

/** The kernel that ran; what was asked for where none did. */
export function kernelCell({ kernel, params, tuned }: BenchRow): string {
  return `${kernel ?? params.kernel}${tuned ? ' (tuned)' : ''}`;
}

/** Time, rate, share of the ceiling and speed-up of a row. */
export function timeCells(rows: readonly BenchRow[], ceiling: CeilingContext, row: BenchRow): string[] {
  if (!row.time) return [isWrong(row) ? 'WRONG' : isUntimed(row) ? 'no time' : 'not run', '', '', ''];
  const share = ceilingShare(ceiling, row);
  return [
    timeCell(row.time, row.clockNs),
    formatSignificant(gbPerSecond(row)!, 3),
    share === undefined ? warmthCell(row) : `${formatSignificant(share * 100, 2)} %`,
    speedUpCell(rows, row),
  ];
}

/** What memory has to do with a row's time; a prompt's is arithmetic. */
function warmthCell(row: BenchRow): string {
  return row.params.prompt === undefined ? warmthOf(row) : '';
}

/** `262.1 ± 1.0`; of samples too few for an interval their range, `262.1 [260.0–264.0]`; of a single one itself. */
function timeCell(time: RowTime, clockNs = 0): string {
  const { samplesNs } = time;
  const middle = us(median(samplesNs), 4);
  const half = halfOf(timeInterval(time), clockNs);
  if (half !== null) return `${middle} ± ${us(half, 2)}`;
  if (samplesNs.length === 1) return middle;
  return `${middle} [${us(Math.min(...samplesNs), 4)}–${us(Math.max(...samplesNs), 4)}]`;
}

/** The largest error of a row's output, before it was timed and after. */
export function worstCheck({ check, checkAfter }: BenchRow): number {
  return Math.max(check?.maxAbsErr ?? 0, checkAfter?.maxAbsErr ?? 0);
}

/** The lines above the table: tool, device, runtime, timer, ceiling, seed, check. */
export function headerLines(result: BenchResult): string[] {
  const { context, results } = result;
  const checked = results.filter((row) => row.check);
  const passed = checked.filter((row) => !isWrong(row)).length;
  const worst = Math.max(0, ...checked.map(worstCheck));
  return [
    ...runLines(context),
    `caches   ${cacheText(result)}`,
    `host     ${planText(context)}"record" is CPU time per layer and step`,
    ...stepLines(results),
    `order    rows of one depth interleaved sample by sample, shuffled · seed ${context.seed}`,
    checked.length > 0
      ? `check    ${passed}/${checked.length} outputs within bound of the float64 reference${before(checked)}, worst error ${worst.toExponential(1)}`
      : 'check    off: nothing here is known to be right',
  ];
}

/** Whether outputs were checked after they were timed too, as far as rows got to that. */
function before(checked: readonly BenchRow[]): string {
  const timed = checked.filter(({ time }) => time);
  return timed.length > 0 && timed.every(({ checkAfter }) => checkAfter) ? ', before and after' : '';
}

function planText({ host: { plan64Ns } }: BenchContext): string {
  return plan64Ns === null ? '' : `plan of 64 sequences ${us(plan64Ns)} µs; `;
}

/** The kernels that steps dispatch, as far as rows got to that. */
function stepLines(rows: readonly BenchRow[]): string[] {
  const kinds = new Set(rows.flatMap(({ dispatches }) => (dispatches ? [dispatchText(dispatches)] : [])));
  if (kinds.size === 0) return [];
  const text = [...kinds].toSorted().join(' or ');
  const isAppended = rows.some(({ params, dispatches }) => dispatches && params.append);
  const append = isAppended
    ? 'RoPE and QK-norm are in append_kv'
    : 'an append of new tokens is one more, RoPE and QK-norm in it';
  return [`step     ${text} per layer; ${append}`];
}

function dispatchText(names: readonly string[]): string {
  return `${names.length} dispatch${names.length === 1 ? '' : 'es'} (${names.join(', ')})`;
}

/** What counts as cold, and whether any row is. */
function cacheText({ context, results }: BenchResult): string {
  const bytes = `more than ${formatBytes(context.coldBytes)} together`;
  const isAny = results.some(({ time, cold }) => time && cold);
  return isAny ? `cold rows read copies in turn, ${bytes}` : `no row is cold: its copies would be ${bytes}`;
}

function ms(ns: number): string {
  return formatSignificant(ns / 1e6, 3);
}

/** The lines below the table: errors, warnings, where the time of rows far from their ideal goes, how to read it. */
export function noteLines(result: BenchResult, shown: readonly BenchRow[] = result.results): string[] {
  const { results, context } = result;
  const far = farFromIdeal(results).filter((row) => shown.includes(row));
  return [
    ...shown.flatMap(({ id, error }) => (error ? [`error    ${id}: ${error}`] : [])),
    ...context.warnings.map(({ text }) => `warning  ${text}`),
    ...warmthNotes(result, shown),
    ...[...missingBases(results, shown), ...roughSpeedUps(results, shown)].map((text) => `note     ${text}`),
    ...far.map((row) => `note     ${timePartsSentence(results, context.ceiling, row)}`),
    ...[...timeNotes(shown), ...costNotes(results)].map((text) => `note     ${text}`),
  ];
}

/** What the figures beside the medians are, as far as there are such, and the slowest first run. */
function timeNotes(rows: readonly BenchRow[]): string[] {
  const times = rows.flatMap(({ time }) => (time ? [time] : []));
  if (times.length === 0) return [];
  const counts = times.map(sampleCount);
  const clock = rows.some(({ time, clockNs }) => time && clockNs !== undefined && clockNs > 0);
  return [
    ...(counts.some((n) => n >= ENOUGH_SAMPLES)
      ? [
          `± is half the 95 % interval of the median${clock ? ', or what the clock may be off if that is more' : ''}.`,
        ]
      : []),
    ...(counts.some((n) => n > 1 && n < ENOUGH_SAMPLES)
      ? [`[ ] is the range of the samples: fewer than ${ENOUGH_SAMPLES} have no 95 % interval of the median.`]
      : []),
    ...(counts.includes(1) ? ['a time alone is a single sample: nothing is known of its noise.'] : []),
    `slowest first run, shader compile included: ${ms(Math.max(...times.map(({ firstNs }) => firstNs)))} ms.`,
  ];
}

function us(ns: number, digits = 3): string {
  return formatSignificant(ns / 1000, digits);
}

/** Everything a person reads: header, table, notes. */
export function markdownReport(result: BenchResult): string {
  // Two blanks at a line's end keep it a line of its own where Markdown is shown.
  const lines = (texts: readonly string[]) => texts.join('  \n');
  return [lines(headerLines(result)), resultTable(result), lines(noteLines(result))].join('\n\n');
}

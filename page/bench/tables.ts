// tables.ts: the rows of a run, a table per depth: planned, finished, or wrong.
import { typesName } from '../../src/numbers/elements.ts';
import { cacheLayout, kvBytesRead } from '../../src/index.ts';
import { formatBytes } from '../../bench/text/format.ts';
import { timeCells } from '../../bench/report/report.ts';
import { kvLensOf } from '../../bench/run/requests.ts';
import { rowId, variantName } from '../../bench/run/rows.ts';
import type { BenchResult, BenchRow, CeilingContext, RowParams } from '../../bench/schema/schema.ts';
import { farFromIdeal, missingBases, roughSpeedUps, timePartsSentence } from '../../bench/report/speedUp.ts';
import { barOf } from './bar.ts';
import { el } from '../shell/dom.ts';
import { warmthOf, warmthReason } from '../../bench/report/warmth.ts';

/** What there is to show: all planned rows, those finished so far, and the ceiling, which is measured before any of them. */
export interface Shown {
  readonly groups: readonly (readonly RowParams[])[];
  readonly rows: readonly BenchRow[];
  readonly ceiling: CeilingContext | undefined;
}

const COLUMNS = [
  ['variant', 'variant'],
  ['heads', 'heads q/kv'],
  ['kv', 'KV read'],
  ['bar', 'time'],
  ['time number', 'µs (median)'],
  ['rate number', 'GB/s'],
  ['share number', '% ceiling'],
  ['speed number', 'vs mha (ideal)'],
] as const;

/** A section per depth (and batch) with its table and notes. */
export function depthSections(shown: Shown): HTMLElement[] {
  return shown.groups.map((group) => {
    const title = titleOf(group[0]!);
    // Roles in words: the narrow layout takes the table's display away, and with it what browsers derive from it.
    const table = el(
      'table',
      { role: 'table', 'aria-label': title },
      el('thead', { role: 'rowgroup' }, el('tr', { role: 'row' }, ...COLUMNS.map(headCell))),
      el('tbody', { role: 'rowgroup' }, ...group.map((params) => tableRow(shown, group, params))),
    );
    return el('section', { class: 'depth' }, el('h3', {}, title), table, ...notes(shown, group));
  });
}

/** The sections of a finished result: rows of the same load and shape stand together. */
export function resultSections({ results, context }: BenchResult): HTMLElement[] {
  const groups = new Map<string, RowParams[]>();
  for (const { params } of results) {
    const key = titleOf(params);
    groups.set(key, [...(groups.get(key) ?? []), params]);
  }
  return depthSections({ groups: [...groups.values()], rows: results, ceiling: context.ceiling });
}

function headCell([name, title]: (typeof COLUMNS)[number]): HTMLElement {
  return el('th', { role: 'columnheader', scope: 'col', class: name }, title);
}

function titleOf({ depth, batch, requests }: RowParams): string {
  if (requests !== undefined) return `requests ${requests}`;
  return `depth ${depth}${batch > 1 ? ` × batch ${batch}` : ''}`;
}

function finishedOf({ rows }: Shown, params: RowParams): BenchRow | undefined {
  const id = rowId(params);
  return rows.find((row) => row.id === id);
}

function tableRow(shown: Shown, group: readonly RowParams[], params: RowParams): HTMLElement {
  const row = finishedOf(shown, params);
  const longest = Math.max(...group.map((other) => finishedOf(shown, other)?.time?.median ?? 0));
  const bar = row?.error
    ? el('span', { class: 'error' }, row.error)
    : barOf(row, longest, shown.ceiling?.readGBps);
  const contents: readonly (Node | string)[] = [
    nameOf(params),
    `${params.heads}/${params.kvHeads}`,
    `${formatBytes(kvBytes(params))} ${typesName(params)}`,
    bar,
    ...numbers(shown, row),
  ];
  const cells = contents.map((content, i) => {
    const [name] = COLUMNS[i]!;
    if (i === 0) return el('th', { role: 'rowheader', scope: 'row', class: name }, content);
    return el('td', { role: 'cell', class: name }, content);
  });
  const state = row ? (row.time ? 'timed' : 'failed') : 'planned';
  return el('tr', { role: 'row', 'data-row': rowId(params), 'data-state': state }, ...cells);
}

function nameOf(params: RowParams): string {
  return (
    variantName(params) +
    (params.kernel === 'auto' ? '' : ` (${params.kernel})`) +
    (params.cache === 'hot' ? ' hot' : '')
  );
}

function kvBytes(params: RowParams): number {
  const { batch, kvHeads, headDim, capacity, kType, vType } = params;
  const layout = cacheLayout({ batch, numKvHeads: kvHeads, headDim, capacity, kType, vType });
  return kvBytesRead(layout, kvLensOf(params));
}

/** Time, rate, share of the ceiling and speed-up, worded as in the text report. */
function numbers({ rows, ceiling }: Shown, row: BenchRow | undefined): (Node | string)[] {
  if (!row || !ceiling) return ['–', '–', '–', '–'];
  const word = warmthOf(row);
  return timeCells(rows, ceiling, row).map((text) =>
    text === word ? el('abbr', { title: warmthReason(row) }, word) : text,
  );
}

/** Which rows did not settle, and what the report says of the speed-ups. */
function notes({ rows, ceiling }: Shown, group: readonly RowParams[]): HTMLElement[] {
  const ids = new Set(group.map(rowId));
  const finished = rows.filter((row) => ids.has(row.id));
  const noisy = finished.filter((row) => row.warnings.includes('noisy')).map((row) => nameOf(row.params));
  const warnings =
    noisy.length > 0 ? [el('li', { class: 'warning' }, `did not settle: ${noisy.join(', ')}`)] : [];
  const whole = finished.length === group.length;
  const reasons = [
    ...(whole ? missingBases(finished, finished) : []),
    ...roughSpeedUps(finished, finished),
    ...(ceiling ? farFromIdeal(finished).map((row) => timePartsSentence(finished, ceiling, row)) : []),
  ].map((text) => el('li', {}, text));
  const all = [...warnings, ...reasons];
  return all.length > 0 ? [el('ul', { class: 'notes' }, ...all)] : [];
}

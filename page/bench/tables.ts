// tables.ts: the rows of a run, a table per context: planned, sampled so far, finished, wrong, or too large for this device.
import { typesName } from '../../src/numbers/elements.ts';
import { cacheLayout, kvBytesRead, type BufferLimits } from '../../src/index.ts';
import { formatBytes, formatSignificant } from '../../bench/text/format.ts';
import { timeCells } from '../../bench/report/report.ts';
import { kvLensOf } from '../../bench/run/requests.ts';
import { loadName, rowId, variantName } from '../../bench/run/rows.ts';
import { variationText } from '../../bench/run/variations.ts';
import type { RowSoFar } from '../../bench/run/rowGroup.ts';
import type { BenchResult, BenchRow, RowParams } from '../../bench/schema/schema.ts';
import { farFromIdeal, missingBases, roughSpeedUps, timePartsSentence } from '../../bench/report/speedUp.ts';
import { warmthOf, warmthReason } from '../../bench/report/warmth.ts';
import { byId, el } from '../shell/dom.ts';
import { barOf, roughBar } from './bar.ts';
import { limitsOf, misfitCure, misfitOf, misfitReason } from './fits.ts';
import type { Draw, Shown } from './results.ts';

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

/** Shows the tables and what is to be noted of their rows, on a device of these limits. */
export function tablesView(limits: BufferLimits): Draw {
  return (shown) => {
    byId('results').replaceChildren(...shown.groups.map((group) => depthSection(shown, group, limits)));
    byId('notes').replaceChildren(...shown.groups.flatMap((group) => notes(shown, group)));
  };
}

/** The sections of a finished result, each with its notes: rows of the same load and shape stand together. */
export function resultSections({ results, context }: BenchResult): HTMLElement[] {
  const groups = new Map<string, RowParams[]>();
  for (const { params } of results) {
    const key = titleOf(params);
    groups.set(key, [...(groups.get(key) ?? []), params]);
  }
  const shown = { groups: [...groups.values()], rows: results, soFar: [], ceiling: context.ceiling };
  return shown.groups.map((group) => {
    const section = depthSection(shown, group, limitsOf(context.limits));
    const texts = notes(shown, group);
    if (texts.length > 0) section.append(el('ul', { class: 'notes' }, ...texts));
    return section;
  });
}

/** A context (and batch) with its table. */
function depthSection(shown: Shown, group: readonly RowParams[], limits: BufferLimits): HTMLElement {
  const title = titleOf(group[0]!);
  const longestNs = Math.max(...group.map((params) => timeOf(shown, params) ?? 0));
  // Roles in words: the narrow layout takes the table's display away, and with it what browsers derive from it.
  const table = el(
    'table',
    { role: 'table', 'aria-label': title },
    el('thead', { role: 'rowgroup' }, el('tr', { role: 'row' }, ...COLUMNS.map(headCell))),
    el('tbody', { role: 'rowgroup' }, ...group.map((params) => tableRow(shown, params, longestNs, limits))),
  );
  return el('section', { class: 'depth' }, el('h3', {}, title), table);
}

function headCell([name, title]: (typeof COLUMNS)[number]): HTMLElement {
  return el('th', { role: 'columnheader', scope: 'col', class: name }, title);
}

function titleOf({ depth, batch, requests, prompt }: RowParams): string {
  if (requests !== undefined) return `Requests ${requests}`;
  const tokens = `${depth.toLocaleString('en-US')} tokens`;
  const load = prompt === undefined ? `Context of ${tokens}` : `Prompt of ${tokens}`;
  return `${load}${batch > 1 ? `, batch of ${batch}` : ''}`;
}

function finishedOf({ rows }: Shown, params: RowParams): BenchRow | undefined {
  const id = rowId(params);
  return rows.find((row) => row.id === id);
}

function soFarOf({ soFar }: Shown, params: RowParams): RowSoFar | undefined {
  const id = rowId(params);
  return soFar.find((row) => rowId(row.params) === id && row.ns > 0);
}

/** The time that a row's bar has, in ns. */
function timeOf(shown: Shown, params: RowParams): number | undefined {
  return finishedOf(shown, params)?.time?.median ?? soFarOf(shown, params)?.ns;
}

function tableRow(shown: Shown, params: RowParams, longestNs: number, limits: BufferLimits): HTMLElement {
  const row = finishedOf(shown, params);
  const soFar = row ? undefined : soFarOf(shown, params);
  const misfit = misfitOf(params, limits);
  const state = misfit ? 'misfit' : row ? (row.time ? 'timed' : 'failed') : soFar ? 'sampled' : 'planned';
  const cell = () => {
    if (misfit) return errorText(`Does not fit here: ${misfitReason(misfit)}. ${misfitCure(misfit)}`);
    if (row?.error) return errorText(row.error);
    return soFar ? roughBar(soFar.ns / longestNs) : barOf(row, longestNs, shown.ceiling?.readGBps);
  };
  const contents: readonly (Node | string)[] = [
    nameOf(params),
    `${params.heads}/${params.kvHeads}`,
    `${formatBytes(kvBytes(params))} ${typesName(params)}`,
    cell(),
    ...(soFar ? [`≈ ${formatSignificant(soFar.ns / 1000, 3)}`, '–', '–', '–'] : numbers(shown, row)),
  ];
  const cells = contents.map((content, i) => {
    const [name] = COLUMNS[i]!;
    if (i === 0) return el('th', { role: 'rowheader', scope: 'row', class: name }, content);
    return el('td', { role: 'cell', class: name }, content);
  });
  return el('tr', { role: 'row', 'data-row': rowId(params), 'data-state': state }, ...cells);
}

function errorText(text: string): HTMLElement {
  return el('span', { class: 'error' }, text);
}

function nameOf(params: RowParams): string {
  return (
    variantName(params) +
    (params.kernel === 'auto' ? '' : ` (${params.kernel})`) +
    variationText(params) +
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
  const noisy = finished.filter((row) => row.warnings.includes('noisy'));
  const names = noisy.map(({ params }) => `${nameOf(params)} @ ${loadName(params)}`).join(', ');
  const warnings = noisy.length > 0 ? [el('li', { class: 'warning' }, `did not settle: ${names}`)] : [];
  const whole = finished.length === group.length;
  const reasons = [
    ...(whole ? missingBases(finished, finished) : []),
    ...roughSpeedUps(finished, finished),
    ...(ceiling ? farFromIdeal(finished).map((row) => timePartsSentence(finished, ceiling, row)) : []),
  ].map((text) => el('li', {}, text));
  return [...warnings, ...reasons];
}

// tables.ts: the calculator's tables: the model with other KV heads, and all presets.
import type { KvReport } from '../../bench/kv/kvReport.ts';
import { formatBytes } from '../../bench/text/format.ts';
import { kvBytesPerToken, kvCacheBytes, storedRows } from '../../src/models/kvBytes.ts';
import { PRESETS, type ModelShape } from '../../src/models/presets.ts';
import { el } from '../shell/dom.ts';
import { variantTable } from './answer.ts';

/** Fills the table of variants. */
export function showVariants(table: HTMLTableElement, report: KvReport): void {
  const { heads, rows } = variantTable(report);
  fill(
    table,
    heads,
    rows.map(({ cells: [first, ...rest], isOwn }) =>
      el(
        'tr',
        isOwn ? { class: 'own' } : {},
        el('th', { scope: 'row' }, first!),
        ...rest.map((cell) => el('td', {}, cell)),
      ),
    ),
  );
}

/** Fills the table of presets for a question; a click on a name takes that preset. */
export function showPresets(table: HTMLTableElement, report: KvReport): void {
  const { depth } = report.rows[0]!;
  const heads = ['model', 'layers', 'heads, query/KV', 'head_dim', 'local layers (window)', 'per token'];
  fill(
    table,
    [...heads, `at ${depth.toLocaleString('en-US')} tokens`],
    PRESETS.map((preset) => presetRow(preset, report, depth)),
  );
}

function presetRow(preset: ModelShape, { shape, batch, typeK, typeV }: KvReport, depth: number): HTMLElement {
  const { name, layers, numQHeads, numKvHeads, headDim, kvLayers } = preset;
  const rows = storedRows(typeK, typeV);
  const local = kvLayers.find(({ kind }) => kind === 'local');
  const isOwn = name === shape.name;
  const button = el(
    'button',
    { type: 'button', 'data-preset': name, ...(isOwn && { 'aria-current': 'true' }) },
    name,
  );
  const cells = [
    `${layers}`,
    `${numQHeads}/${numKvHeads}`,
    `${headDim}`,
    local ? `${local.count} (${local.window})` : '',
    formatBytes(kvBytesPerToken(kvLayers, rows)),
    formatBytes(kvCacheBytes(kvLayers, depth, batch, rows, { windowed: true })),
  ];
  return el(
    'tr',
    isOwn ? { class: 'own' } : {},
    el('th', { scope: 'row' }, button),
    ...cells.map((cell) => el('td', {}, cell)),
  );
}

function fill(table: HTMLTableElement, heads: readonly string[], rows: readonly HTMLElement[]): void {
  table.tHead!.replaceChildren(el('tr', {}, ...heads.map((head) => el('th', { scope: 'col' }, head))));
  table.tBodies[0]!.replaceChildren(...rows);
}

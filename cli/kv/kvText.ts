// kvText.ts: what `gqa kv` prints: a report as text, and the table of all presets. Pure.
import { isWindowed, groupDigits, layerWords, shapeWords, workedFormula } from '../../bench/kv/kvWords.ts';
import type { KvReport, KvReportRequest } from '../../bench/kv/kvReport.ts';
import { formatBytes, formatSignificant, markdownTable, type Column } from '../../bench/text/format.ts';
import { kvBytesPerToken, kvCacheBytes, storedRows } from '../../src/models/kvBytes.ts';
import type { KvLayers } from '../../src/models/kvLayers.ts';
import { PRESETS } from '../../src/models/presets.ts';

/** The report as text: the shape, the worked formula, a Markdown table, and where the numbers come from. */
export function reportText(report: KvReport): string {
  const { shape } = report;
  return [
    `${shape.name}   ${shapeWords(report)}`,
    `per token   ${workedFormula(report)}`,
    '',
    rowTable(report),
    '',
    ...layerWords(report),
    ...report.notes,
  ].join('\n');
}

function rowTable(report: KvReport): string {
  const { rows, memoryGiB, gbps } = report;
  const windowed = isWindowed(report);
  const columns: Column[] = [
    { title: 'variant', align: 'left' },
    ...rightAligned(['depth', 'per token', 'cache', ...(windowed ? ['full'] : [])]),
    ...rightAligned([
      `sequences in ${memoryGiB} GiB`,
      ...(gbps === undefined ? [] : [`read floor at ${gbps} GB/s`]),
    ]),
  ];
  const cells = rows.map((row) => [
    `${row.variant} (${row.numKvHeads})${row.configured ? ' ←' : ''}`,
    groupDigits(row.depth),
    formatBytes(row.bytesPerToken),
    formatBytes(row.cacheBytes),
    ...(windowed ? [formatBytes(row.fullBytes)] : []),
    groupDigits(row.sequences),
    ...(row.readFloorMs === undefined ? [] : [`${formatSignificant(row.readFloorMs)} ms`]),
  ]);
  return markdownTable(columns, cells);
}

/** Every preset as a Markdown table: its shape, bytes per token, and the cache of the batch at each depth. */
export function presetTable(request: KvReportRequest): string {
  const rowsOf = storedRows(request.typeK, request.typeV);
  const columns: Column[] = [
    { title: 'model', align: 'left' },
    ...rightAligned(['layers', 'heads q/kv', 'group', 'head_dim', 'local (window)', 'per token']),
    ...rightAligned(request.depths.map((depth) => `at ${groupDigits(depth)}`)),
  ];
  const rows = PRESETS.map((preset) => [
    preset.name,
    String(preset.layers),
    `${preset.numQHeads}/${preset.numKvHeads}`,
    String(preset.numQHeads / preset.numKvHeads),
    String(preset.headDim),
    localWords(preset.kvLayers),
    formatBytes(kvBytesPerToken(preset.kvLayers, rowsOf)),
    ...request.depths.map((depth) =>
      formatBytes(kvCacheBytes(preset.kvLayers, depth, request.batch, rowsOf, { windowed: true })),
    ),
  ]);
  return markdownTable(columns, rows);
}

function localWords(layers: readonly KvLayers[]): string {
  const local = layers.find(({ kind }) => kind === 'local');
  return local ? `${local.count} (${local.window})` : '';
}

function rightAligned(titles: readonly string[]): Column[] {
  return titles.map((title) => ({ title, align: 'right' }));
}

// kvReport.ts: what `gqa kv` says about a model: the report as data, and as text. Pure.
import { formatBytes, formatSignificant, markdownTable, type Column } from '../../bench/format.ts';
import { ELEMENT_FORMATS, rowBytes, type KvType } from '../kernels/elements.ts';
import type { ConfigShape } from '../models/config.ts';
import { kvBytesPerToken, kvCacheBytes, kvRows, type KvRow } from '../models/kvBytes.ts';
import { PRESETS, type ModelShape } from '../models/presets.ts';

/** What is asked about a model. */
export interface KvReportRequest {
  /** Tokens in the cache of each sequence, one answer for each. */
  readonly depths: readonly number[];
  readonly batch: number;
  readonly typeK: KvType;
  readonly typeV: KvType;
  /** Memory to fill with sequences. */
  readonly memoryGiB: number;
  /** Memory bandwidth in 10^9 bytes per second, for the read floor. */
  readonly gbps?: number;
}

/** What `gqa kv` says about one model, as `-o json` prints it. Bytes are whole numbers, times are in ms. */
export interface KvReport extends Omit<KvReportRequest, 'depths'> {
  readonly shape: ModelShape;
  /** The rules that gave the shape, for people to read. */
  readonly notes: readonly string[];
  readonly rows: readonly KvRow[];
}

/** The answer for one model. A size past 2^53 bytes is a ShapeError. */
export function kvReport(
  { notes, ...shape }: ConfigShape,
  { depths, ...request }: KvReportRequest,
): KvReport {
  const { batch, memoryGiB, gbps } = request;
  const rows = kvRows(shape, {
    depths,
    batch,
    bytesPerRow: storedRowBytes({ shape, ...request }),
    memoryBytes: memoryGiB * 2 ** 30,
    ...(gbps !== undefined && { gbps }),
  });
  return { shape, notes, ...request, rows };
}

/** The report as text: the shape, the worked formula, a Markdown table, and where the numbers come from. */
export function reportText(report: KvReport): string {
  const { shape } = report;
  return [
    `${shape.name}   ${shapeWords(report)}`,
    `per token   ${workedFormula(report)}`,
    '',
    rowTable(report),
    '',
    ...(shape.localLayers === undefined ? [] : [windowWords(report)]),
    ...report.notes,
  ].join('\n');
}

function shapeWords({ shape, typeK, typeV, batch }: KvReport): string {
  return [
    plural(shape.layers, 'layer'),
    plural(shape.numQHeads, 'query head'),
    plural(shape.numKvHeads, 'KV head'),
    `head_dim ${shape.headDim}`,
    typeK === typeV ? typeK : `K ${typeK}, V ${typeV}`,
    `batch ${groupDigits(batch)}`,
  ].join(' · ');
}

function workedFormula(report: KvReport): string {
  const { shape, typeK, typeV } = report;
  const row = (type: KvType) => rowFormula(type, shape.headDim);
  const [twice, each] =
    typeK === typeV ? ['2 (K,V) × ', row(typeK)] : ['', `(${row(typeK)} of K + ${row(typeV)} of V)`];
  const factors = `${plural(shape.layers, 'layer')} × ${plural(shape.numKvHeads, 'head')} × ${each}`;
  return `${twice}${factors} = ${bytesTwice(kvBytesPerToken(shape, storedRowBytes(report)))}`;
}

/** A row's bytes: elements times their size, or for quantised types the sum with the scales. */
function rowFormula(type: KvType, headDim: number): string {
  const { bits, scale } = ELEMENT_FORMATS[type];
  if (scale === 'none') return `${headDim} × ${bits / 8} B`;
  return `${rowBytes(type, headDim)} B (${headDim} ${type} with scales)`;
}

function storedRowBytes({ shape, typeK, typeV }: Pick<KvReport, 'shape' | 'typeK' | 'typeV'>) {
  return { k: rowBytes(typeK, shape.headDim), v: rowBytes(typeV, shape.headDim) };
}

function windowWords(report: KvReport): string {
  const { layers, localLayers = 0, window = 0, ...rest } = report.shape;
  const globalLayers = layers - localLayers;
  const later =
    globalLayers > 0 ? kvBytesPerToken({ ...rest, layers: globalLayers }, storedRowBytes(report)) : 0;
  const keep = `${localLayers} of ${layers} layers keep only the last ${groupDigits(window)} tokens`;
  return `${keep}; past that a token adds ${bytesTwice(later)}. "full" is the cache if they kept every token`;
}

function rowTable({ shape, rows, memoryGiB, gbps }: KvReport): string {
  const windowed = shape.localLayers !== undefined;
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
  const rowsOf = (shape: ModelShape) => storedRowBytes({ shape, ...request });
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
    preset.localLayers === undefined ? '' : `${preset.localLayers} (${preset.window})`,
    formatBytes(kvBytesPerToken(preset, rowsOf(preset))),
    ...request.depths.map((depth) =>
      formatBytes(kvCacheBytes(preset, depth, request.batch, rowsOf(preset), { windowed: true })),
    ),
  ]);
  return markdownTable(columns, rows);
}

function rightAligned(titles: readonly string[]): Column[] {
  return titles.map((title) => ({ title, align: 'right' }));
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function bytesTwice(bytes: number): string {
  return bytes < 1024 ? `${bytes} B` : `${groupDigits(bytes)} B = ${formatBytes(bytes)}`;
}

/** 131072 -> "131 072". */
function groupDigits(value: number): string {
  return value.toLocaleString('en-US').replaceAll(',', ' ');
}

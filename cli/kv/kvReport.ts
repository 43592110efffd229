// kvReport.ts: what `gqa kv` says about a model: the report as data, and as text. Pure.
import {
  formatBytes,
  formatSignificant,
  markdownTable,
  plural,
  type Column,
} from '../../bench/text/format.ts';
import { ELEMENT_FORMATS, rowBytes, typesName, type KvType } from '../../src/numbers/elements.ts';
import type { ConfigShape } from '../../src/models/config.ts';
import {
  crossBytesPerToken,
  kvBytesPerToken,
  kvCacheBytes,
  kvRows,
  type KvRow,
  storedRows,
  type RowBytes,
} from '../../src/models/kvBytes.ts';
import { countLayers, keepsKv, type KvLayers, type LayerKind } from '../../src/models/kvLayers.ts';
import { PRESETS, type ModelShape } from '../../src/models/presets.ts';

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
    rowBytes: storedRows(request.typeK, request.typeV),
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
    ...layerWords(report),
    ...report.notes,
  ].join('\n');
}

function shapeWords({ shape, typeK, typeV, batch }: KvReport): string {
  return [
    plural(shape.layers, 'layer'),
    plural(shape.numQHeads, 'query head'),
    `${rowGroups(shape.kvLayers).length === 1 ? '' : 'up to '}${plural(shape.numKvHeads, 'KV head')}`,
    `head_dim ${shape.headDim}`,
    typesName({ kType: typeK, vType: typeV }, (k, v) => `K ${k}, V ${v}`),
    `batch ${groupDigits(batch)}`,
  ].join(' · ');
}

function workedFormula(report: KvReport): string {
  const { shape, typeK, typeV } = report;
  const terms = rowGroups(shape.kvLayers).map(({ count, numKvHeads, headDim }) => {
    const row = (type: KvType) => rowFormula(type, headDim);
    const each = typeK === typeV ? row(typeK) : `(${row(typeK)} of K + ${row(typeV)} of V)`;
    return `${plural(count, 'layer')} × ${plural(numKvHeads, 'head')} × ${each}`;
  });
  const sum = terms.length === 1 ? terms[0]! : `(${terms.join(' + ')})`;
  const twice = typeK === typeV ? '2 (K,V) × ' : '';
  return `${twice}${sum} = ${bytesTwice(kvBytesPerToken(shape.kvLayers, storedRows(report.typeK, report.typeV)))}`;
}

/** The layers that a new token adds to, together where their heads are alike. */
function rowGroups(layers: readonly KvLayers[]): KvLayers[] {
  const groups: KvLayers[] = [];
  for (const layer of layers.filter((group) => keepsKv(group) && group.kind !== 'cross')) {
    const at = groups.findIndex(
      ({ numKvHeads, headDim }) => numKvHeads === layer.numKvHeads && headDim === layer.headDim,
    );
    if (at === -1) groups.push(layer);
    else groups[at] = { ...groups[at]!, count: groups[at]!.count + layer.count };
  }
  return groups;
}

/** A row's bytes: elements times their size, or for quantised types the sum with the scales. */
function rowFormula(type: KvType, headDim: number): string {
  const { bits, scale } = ELEMENT_FORMATS[type];
  if (scale === 'none') return `${headDim} × ${bits / 8} B`;
  return `${rowBytes(type, headDim)} B (${headDim} ${type} with scales)`;
}

const WINDOWED: readonly LayerKind[] = ['local', 'chunked'];

/** What the layers keep where it is not every token of each. */
function layerWords(report: KvReport): string[] {
  const { kvLayers, layers } = report.shape;
  const rows = storedRows(report.typeK, report.typeV);
  const windows = kvLayers.filter(({ kind }) => WINDOWED.includes(kind));
  const keep = windows.map(({ kind, count, window = 0 }) => {
    const tokens = groupDigits(window);
    const what = kind === 'local' ? `the last ${tokens} tokens` : `the tokens of a chunk of ${tokens}`;
    return `${count} of ${layers} layers keep only ${what}`;
  });
  const later = kvBytesPerToken(
    kvLayers.filter(({ kind }) => !WINDOWED.includes(kind)),
    rows,
  );
  const shared = countLayers(kvLayers, 'shared');
  return [
    ...(keep.length === 0
      ? []
      : [
          `${keep.join(', ')}; past that a token adds ${bytesTwice(later)}. "full" is the cache if they kept every token`,
        ]),
    ...(shared === 0 ? [] : [`${shared} of ${layers} layers use the cache of another layer`]),
    ...crossWords(kvLayers, rows),
  ];
}

/** What cross-attention keeps: counted where the length of the encoder's output is known, else said. */
function crossWords(layers: readonly KvLayers[], rows: RowBytes): string[] {
  const cross = layers.find(({ kind }) => kind === 'cross');
  if (!cross) return [];
  const each = bytesTwice(crossBytesPerToken(layers, rows));
  return [
    cross.window === undefined
      ? `self-attention of the decoder only; cross-attention keeps ${each} more for each token of the encoder`
      : `cross-attention keeps ${each} for each of the encoder's ${groupDigits(cross.window)} tokens, counted in the cache`,
  ];
}

function rowTable({ shape, rows, memoryGiB, gbps }: KvReport): string {
  const windowed = countLayers(shape.kvLayers, ...WINDOWED) > 0;
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

function bytesTwice(bytes: number): string {
  return bytes < 1024 ? `${bytes} B` : `${groupDigits(bytes)} B = ${formatBytes(bytes)}`;
}

/** 131072 -> "131 072". */
function groupDigits(value: number): string {
  return value.toLocaleString('en-US').replaceAll(',', ' ');
}

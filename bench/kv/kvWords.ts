// kvWords.ts: a report on a KV cache in words: the shape, the formula filled in, and what the layers keep.
import { formatBytes, plural } from '../text/format.ts';
import { ELEMENT_FORMATS, rowBytes, typesName, type KvType } from '../../src/numbers/elements.ts';
import { crossBytesPerToken, kvBytesPerToken, storedRows, type RowBytes } from '../../src/models/kvBytes.ts';
import { countLayers, keepsKv, type KvLayers, type LayerKind } from '../../src/models/kvLayers.ts';
import type { KvReport } from './kvReport.ts';

/** The shape in a line: layers, heads, head dim, element types, batch. */
export function shapeWords({ shape, typeK, typeV, batch }: KvReport): string {
  return [
    plural(shape.layers, 'layer'),
    plural(shape.numQHeads, 'query head'),
    `${rowGroups(shape.kvLayers).length === 1 ? '' : 'up to '}${plural(shape.numKvHeads, 'KV head')}`,
    `head_dim ${shape.headDim}`,
    typesName({ kType: typeK, vType: typeV }, (k, v) => `K ${k}, V ${v}`),
    `batch ${groupDigits(batch)}`,
  ].join(' · ');
}

/** The bytes that a token adds, with every number of the formula filled in. */
export function workedFormula(report: KvReport): string {
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

/** Layers that forget. */
const WINDOWED: readonly LayerKind[] = ['local', 'chunked'];

/** What the layers keep where it is not every token of each. */
export function layerWords(report: KvReport): string[] {
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

/** Whether layers keep fewer tokens than there are. */
export function isWindowed({ shape }: KvReport): boolean {
  return countLayers(shape.kvLayers, ...WINDOWED) > 0;
}

function bytesTwice(bytes: number): string {
  return bytes < 1024 ? `${bytes} B` : `${groupDigits(bytes)} B = ${formatBytes(bytes)}`;
}

/** Digits in groups: 131072 -> "131 072". */
export function groupDigits(value: number): string {
  return value.toLocaleString('en-US').replaceAll(',', ' ');
}

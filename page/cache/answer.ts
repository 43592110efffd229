// answer.ts: what the calculator says of a model: in a sentence, as a table, and as the command that says the same. Pure.
import type { KvReport } from '../../bench/kv/kvReport.ts';
import { isWindowed } from '../../bench/kv/kvWords.ts';
import { formatBytes, formatSignificant, plural } from '../../bench/text/format.ts';
import type { KvRow, Variant } from '../../src/models/kvBytes.ts';
import { rowBytes } from '../../src/numbers/elements.ts';
import { KV_STANDARD, type KvTexts } from './settings.ts';

const count = (value: number) => value.toLocaleString('en-US');

/** The answer in a few sentences. */
export function answerText(report: KvReport): string {
  const row = report.rows.find(({ configured }) => configured)!;
  const { shape, batch, memoryGiB, gbps } = report;
  const tokens = plural(row.depth, 'token').replace(/^\d+/, count(row.depth));
  const many =
    batch === 1 ? `One sequence of ${tokens} takes` : `${count(batch)} sequences of ${tokens} take`;
  return [
    `${shape.name} keeps ${formatBytes(row.bytesPerToken)} of K and V per token.`,
    `${many} ${formatBytes(row.cacheBytes)}; ${fitText(row.sequences)} in ${memoryGiB} GiB.`,
    ...(row.readFloorMs === undefined
      ? []
      : [
          `To read it takes at least ${formatSignificant(row.readFloorMs)} ms per decode step at ${gbps} GB/s.`,
        ]),
  ].join(' ');
}

function fitText(sequences: number): string {
  if (sequences === 0) return 'not even one fits';
  return sequences === 1 ? 'one fits' : `${count(sequences)} such sequences fit`;
}

const NAMES: Readonly<Record<Variant, string>> = { mha: 'MHA', gqa: 'GQA', mqa: 'MQA' };

/** The model as it is, beside one KV head for each query head and one for all. */
export function variantTable(report: KvReport): {
  heads: string[];
  rows: { cells: string[]; isOwn: boolean }[];
} {
  const { rows, memoryGiB, gbps, batch } = report;
  const windowed = isWindowed(report);
  const [{ depth }] = rows as [KvRow];
  return {
    heads: [
      'variant',
      'KV heads',
      'per token',
      `at ${count(depth)} tokens${batch === 1 ? '' : ` × ${count(batch)}`}`,
      ...(windowed ? ['full, no token forgotten'] : []),
      `sequences in ${memoryGiB} GiB`,
      ...(gbps === undefined ? [] : ['read floor per step']),
    ],
    rows: rows.map((row) => ({
      isOwn: row.configured,
      cells: [
        `${NAMES[row.variant]}${row.configured ? ', as it is' : ''}`,
        count(row.numKvHeads),
        formatBytes(row.bytesPerToken),
        formatBytes(row.cacheBytes),
        ...(windowed ? [formatBytes(row.fullBytes)] : []),
        count(row.sequences),
        ...(row.readFloorMs === undefined ? [] : [`${formatSignificant(row.readFloorMs)} ms`]),
      ],
    })),
  };
}

/** Of an adapter, in bytes. */
export interface AdapterLimits {
  readonly maxBufferSize: number;
  readonly maxStorageBufferBindingSize: number;
}

/** Bytes that one buffer can have and be read whole. */
export function largestBuffer({ maxBufferSize, maxStorageBufferBindingSize }: AdapterLimits): number {
  return Math.min(maxBufferSize, maxStorageBufferBindingSize);
}

/** What one buffer of the adapter holds of this cache, in words; K and V of each layer have buffers of their own. */
export function limitText({ shape, typeK, typeV }: KvReport, limits: AdapterLimits | undefined): string {
  if (!limits) return 'There is no GPU adapter here, so its limit is not known.';
  const largest = largestBuffer(limits);
  const rows = shape.kvLayers.flatMap(({ headDim }) =>
    [typeK, typeV].map((type) => (headDim === 0 ? 0 : rowBytes(type, headDim))),
  );
  const tokens = Math.floor(largest / Math.max(...rows));
  return (
    `A buffer of this adapter has at most ${formatBytes(limits.maxBufferSize)}, and a kernel reads at most ` +
    `${formatBytes(limits.maxStorageBufferBindingSize)} of one. A layer takes as many as it needs: K or V of one KV head of a sequence fits up to ${count(tokens)} tokens, in pages any number.`
  );
}

/** `gqa kv` with the same question; what is standard is left out. `path` is that of the model's file, where it is no preset. */
export function commandLine(texts: KvTexts, path?: string): string {
  const flags: readonly (readonly [flag: string, text: string, standard: string])[] = [
    ['-d', texts.depth, ''],
    ['-b', texts.batch, KV_STANDARD.batch],
    ['--cache-type-k', texts.typeK, KV_STANDARD.typeK],
    ['--cache-type-v', texts.typeV, KV_STANDARD.typeV],
    ['--memory', texts.memory, KV_STANDARD.memory],
    ['--gbps', texts.gbps, KV_STANDARD.gbps],
  ];
  const given = flags.flatMap(([flag, text, standard]) =>
    text.trim() === standard ? [] : [flag, text.trim()],
  );
  return ['gqa kv', quoted(path ?? texts.model), ...given].join(' ');
}

/** A word as shells take it. */
function quoted(word: string): string {
  return /^[\w./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

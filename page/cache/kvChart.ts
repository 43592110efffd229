// kvChart.ts: the chart of the calculator: bytes of K and V against the context, of this model and of well-known ones. Pure.
import type { KvReport } from '../../bench/kv/kvReport.ts';
import { formatBytes } from '../../bench/text/format.ts';
import { kvCacheBytes, storedRows } from '../../src/models/kvBytes.ts';
import { findPreset, type ModelShape } from '../../src/models/presets.ts';
import { typesName } from '../../src/numbers/elements.ts';
import type { ChartSpec, Series } from '../charts/chart.ts';
import { largestBuffer, type AdapterLimits } from './answer.ts';

/** From one head for each query head to a window in most layers. */
const BESIDE = [
  'llama-2-7b',
  'llama-3.1-8b',
  'llama-3.1-70b',
  'qwen3-4b',
  'gemma-3-4b',
  'gpt-oss-20b',
  'falcon-7b',
];

const FIRST = 10;
const LAST = 17;

/** Contexts are powers of two, as far as the one asked about. */
export function kvChart(report: KvReport, limits: AdapterLimits | undefined): ChartSpec {
  const { shape, batch, typeK, typeV, memoryGiB, rows } = report;
  const last = Math.max(LAST, Math.ceil(Math.log2(rows[0]!.depth)));
  const contexts = Array.from({ length: last - FIRST + 1 }, (_, i) => 2 ** (FIRST + i));
  const lineOf = ({ name, kvLayers }: ModelShape): Series => ({
    name,
    kind: 'measured',
    points: contexts.map((x) => ({
      x,
      y: kvCacheBytes(kvLayers, x, batch, storedRows(typeK, typeV), { windowed: true }),
    })),
  });
  const types = typesName({ kType: typeK, vType: typeV }, (k, v) => `K ${k}, V ${v}`);
  return {
    title: 'Bytes of K and V against the context',
    caption: `${types}, batch ${batch.toLocaleString('en-US')}. What lies above a limit does not fit it; a cache has a buffer for K and one for V of each layer.`,
    fileName: 'kv-cache-against-context',
    x: { label: 'tokens of a sequence', scale: 'log2', format: tokensText },
    y: { label: 'KV cache', scale: 'log2', format: formatBytes },
    series: [
      lineOf(shape),
      ...BESIDE.filter((name) => name !== shape.name).map((name) => lineOf(findPreset(name))),
      limit('memory', memoryGiB * 2 ** 30),
      ...(limits ? [limit('largest buffer of this adapter', largestBuffer(limits))] : []),
    ],
  };
}

function limit(name: string, y: number): Series {
  return { name, kind: 'limit', points: [{ x: 0, y }] };
}

/** 131072 -> "128k". */
function tokensText(tokens: number): string {
  return tokens >= 2 ** 20 ? `${tokens / 2 ** 20}M` : `${tokens / 2 ** 10}k`;
}

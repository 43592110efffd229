// convertReport.ts: what `gqa convert --report` says: the report as data and as a table. Pure.
import { formatBytes, markdownTable, type Column } from '../../bench/text/format.ts';
import type { ConversionPlan } from '../../src/checkpoint/convert/plan.ts';
import type { ModuleReport } from '../../src/checkpoint/convert/report.ts';
import { halves, kvBytesPerToken } from '../../src/models/kvBytes.ts';
import { withKvHeads } from '../../src/models/kvLayers.ts';

/** The whole report, as `-o json` and --export-json give it. */
export interface ConvertReport {
  readonly schema: 'gqa-convert-report/1';
  readonly source: string;
  readonly family: string;
  readonly method: string;
  readonly grouping: string;
  /** What errors are judged on. */
  readonly inputs: 'calibration' | 'weights';
  readonly numQHeads: number;
  readonly numKvHeads: number;
  /** KV cache bytes of a token, two-byte elements, by the number of KV heads. */
  readonly cacheBytesPerToken: Readonly<Record<string, number>>;
  readonly modules: readonly ModuleReport[];
  /** Why there are not all, and how many that would be. */
  readonly partial?: { readonly reason: string; readonly modules: number };
}

/** Puts a report together. `plans` differ in the number of KV heads alone. */
export function convertReport(
  plans: readonly ConversionPlan[],
  modules: readonly ModuleReport[],
  {
    source,
    calibrated,
    partial,
  }: Pick<ConvertReport, 'source' | 'partial'> & { readonly calibrated: boolean },
): ConvertReport {
  const { attention, options } = plans[0]!;
  const bytes = (numKvHeads: number) =>
    kvBytesPerToken(withKvHeads(attention.shape.kvLayers, numKvHeads), halves);
  const counts = [attention.numKvHeads, ...plans.map((plan) => plan.options.kvHeads)];
  return {
    schema: 'gqa-convert-report/1',
    source,
    family: attention.format.name,
    method: options.method,
    grouping: options.grouping,
    inputs: calibrated ? 'calibration' : 'weights',
    numQHeads: attention.numQHeads,
    numKvHeads: attention.numKvHeads,
    cacheBytesPerToken: Object.fromEntries(counts.map((count) => [count, bytes(count)])),
    modules,
    ...(partial && { partial }),
  };
}

/** The numbers of KV heads that a report is about, in the order they were asked for. */
export function kvHeadsOf({ modules }: ConvertReport): number[] {
  return [...new Set(modules.map(({ kvHeads }) => kvHeads))];
}

/** Root mean square: errors of parts of the same size add up so. */
export function rms(values: readonly number[]): number {
  return Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);
}

/** The report as text: one row for each attention module, one set of columns for each number of KV heads. */
export function reportTable(report: ConvertReport): string {
  const counts = kvHeadsOf(report);
  const columns: Column[] = [
    { title: 'layer', align: 'left' },
    ...counts.flatMap((count): Column[] => [
      { title: `${count} KV: keys`, align: 'right' },
      { title: 'values', align: 'right' },
      { title: 'output', align: 'right' },
    ]),
  ];
  const names = [...new Set(report.modules.map(({ module }) => module))];
  const rows = names.map((name) => {
    const found = report.modules.filter(({ module }) => module === name);
    return [
      labelOf(found[0]!),
      ...counts.flatMap((count) => cells(found.filter((m) => m.kvHeads === count))),
    ];
  });
  const all = ['all', ...counts.flatMap((count) => cells(report.modules.filter((m) => m.kvHeads === count)))];
  const { partial } = report;
  const cut = partial ? [`PARTIAL: ${names.length} of ${partial.modules} modules; ${partial.reason}`] : [];
  return [heading(report), ...cut, '', markdownTable(columns, [...rows, all]), '', explanation(report)].join(
    '\n',
  );
}

export function labelOf({ layer, kind }: ModuleReport): string {
  return kind === 'cross' ? `${layer} cross` : String(layer);
}

function cells(modules: readonly ModuleReport[]): string[] {
  const share = (values: readonly number[]) => `${(100 * rms(values)).toFixed(1)} %`;
  return [
    share(modules.flatMap(({ keys }) => keys)),
    share(modules.flatMap(({ values }) => values)),
    share(modules.map(({ output }) => output)),
  ];
}

function heading({ source, family, method, grouping, inputs, numQHeads, numKvHeads }: ConvertReport): string {
  const judged = inputs === 'calibration' ? 'calibration text' : 'weights alone (white inputs)';
  return `${source}   ${family} · ${numQHeads} query heads, ${numKvHeads} KV heads · method ${method}, ${grouping} · judged on ${judged}`;
}

function explanation(report: ConvertReport): string {
  const { cacheBytesPerToken: bytes, numKvHeads } = report;
  const sizes = [numKvHeads, ...kvHeadsOf(report)].map(
    (count) => `${count} KV heads ${formatBytes(bytes[count]!)}`,
  );
  return [
    `KV cache of a token: ${[...new Set(sizes)].join(', ')}`,
    'Relative errors before any training, root mean square over heads: 0 % nothing is lost, 100 % as much as leaving it out.',
    'Errors of single heads are in -o json and in the plot.',
  ].join('\n');
}

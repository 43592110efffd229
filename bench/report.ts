// report.ts: a result as people read it: the header, the Markdown table, the notes; and as CSV.
import { formatBytes, formatSignificant, markdownTable, type Column } from './format.ts';
import { isWrong } from './rowResult.ts';
import type { BenchResult, BenchRow, CeilingContext, RowParams } from './schema.ts';
import { median } from './stats.ts';
import { warmthNotes, warmthOf } from './warmth.ts';

/** Below this share of the ideal speed-up a note says what keeps it from there. */
const FAR_FROM_IDEAL = 0.8;

/** Rows that differ only in KV heads. */
function family(params: RowParams): string {
  return JSON.stringify({ ...params, kvHeads: 0 });
}

/**
 * Speed-up against the row of the same family with the most KV heads that has a time, and the one that equal bytes
 * per second would give. Undefined without times.
 */
export function speedUp(rows: readonly BenchRow[], row: BenchRow) {
  const related = rows.filter((r) => r.time && family(r.params) === family(row.params));
  const baseline = related.toSorted((a, b) => b.params.kvHeads - a.params.kvHeads)[0];
  if (!row.time || !baseline?.time) return undefined;
  return {
    baseline,
    real: baseline.time.median / row.time.median,
    ideal: baseline.bytes.kvRead / row.bytes.kvRead,
  };
}

/** Decimal GB/s of K and V, each byte counted once. */
function gbPerSecond(row: BenchRow): number | undefined {
  return row.time ? row.bytes.kvRead / row.time.median : undefined;
}

/** Share of the read ceiling; only a cold row has one. */
export function ceilingShare(ceiling: CeilingContext, row: BenchRow): number | undefined {
  const rate = gbPerSecond(row);
  return rate !== undefined && row.cold ? rate / ceiling.readGBps : undefined;
}

const COLUMNS: readonly Column[] = [
  { title: 'model', align: 'left' },
  { title: 'variant', align: 'left' },
  { title: 'heads q/kv', align: 'right' },
  { title: 'KV type', align: 'left' },
  { title: 'KV read', align: 'right' },
  { title: 'kernel', align: 'left' },
  { title: 'test', align: 'left' },
  { title: 'µs (median)', align: 'right' },
  { title: 'GB/s', align: 'right' },
  { title: '% ceiling', align: 'right' },
  { title: 'vs mha (ideal)', align: 'right' },
  { title: 'wall µs', align: 'right' },
  { title: 'record µs', align: 'right' },
];

/** The table of all rows. */
export function resultTable(result: BenchResult): string {
  return markdownTable(
    COLUMNS,
    result.results.map((row) => cells(result, row)),
  );
}

/** Element types of K and V, one where they are the same. */
function typesOf({ kType, vType }: RowParams): string {
  return kType === vType ? kType : `${kType}/${vType}`;
}

function cells(result: BenchResult, row: BenchRow): string[] {
  const { params } = row;
  const batch = params.batch > 1 && !params.requests ? ` × ${params.batch}` : '';
  return [
    params.model,
    row.variant,
    `${params.heads}/${params.kvHeads}`,
    typesOf(params),
    row.time ? formatBytes(row.bytes.kvRead) : '',
    kernelCell(row),
    `${row.test}${batch}`,
    ...timeCells(result.results, result.context.ceiling, row),
    ...costCells(row),
  ];
}

/** Wall time of a step, and CPU time of recording it for one layer. */
function costCells({ time, host }: BenchRow): string[] {
  if (!time || !host) return ['', ''];
  return [formatSignificant(median(time.wallNs) / 1000, 4), formatSignificant(host.recordNs / 1000, 2)];
}

/** The kernel that ran; what was asked for where none did. */
function kernelCell({ kernel, params, tuned }: BenchRow): string {
  return `${kernel ?? params.kernel}${tuned ? ' (tuned)' : ''}`;
}

/** Time, rate, share of the ceiling and speed-up of a row. */
export function timeCells(rows: readonly BenchRow[], ceiling: CeilingContext, row: BenchRow): string[] {
  if (!row.time) return [isWrong(row) ? 'WRONG' : 'not run', '', '', ''];
  const [low, high] = row.time.ci95;
  const share = ceilingShare(ceiling, row);
  return [
    `${formatSignificant(row.time.median / 1000, 4)} ± ${formatSignificant((high - low) / 2000, 2)}`,
    formatSignificant(gbPerSecond(row)!, 3),
    share === undefined ? warmthOf(row) : `${formatSignificant(share * 100, 2)} %`,
    speedUpCell(rows, row),
  ];
}

function speedUpCell(rows: readonly BenchRow[], row: BenchRow): string {
  const ratio = speedUp(rows, row);
  if (!ratio) return '';
  if (ratio.baseline === row) return '1.00×';
  return `${formatSignificant(ratio.real, 3)}× (${formatSignificant(ratio.ideal, 3)}×)`;
}

/** The largest error of a row's output, before it was timed and after. */
function worstCheck({ check, checkAfter }: BenchRow): number {
  return Math.max(check?.maxAbsErr ?? 0, checkAfter?.maxAbsErr ?? 0);
}

/** The lines above the table: tool, device, runtime, timer, ceiling, seed, check. */
export function headerLines(result: BenchResult): string[] {
  const { context, results } = result;
  const { adapter, timer, ceiling, tool, runtime } = context;
  const names = [adapter.vendor, adapter.architecture, adapter.device, adapter.description].filter(Boolean);
  const checked = results.filter((row) => row.check);
  const passed = checked.filter((row) => !isWrong(row)).length;
  const f16 = context.features.includes('shader-f16') ? 'yes' : 'no';
  const subgroups = context.features.includes('subgroups')
    ? `${adapter.subgroupMinSize}–${adapter.subgroupMaxSize}`
    : 'no';
  const software = adapter.software ? ' · SOFTWARE' : '';
  const label = context.label ? ` · label "${context.label}"` : '';
  const worst = Math.max(0, ...checked.map(worstCheck));
  return [
    `${tool.name} ${tool.version}${tool.commit ? ` (${tool.commit})` : ''}`,
    `device   ${names.join(' · ') || 'unnamed by the browser'}${software} · shader-f16 ${f16} · subgroups ${subgroups}${label}`,
    `runtime  ${runtime.kind} ${runtime.version}${runtime.webgpu ? ` · ${runtime.webgpu}` : ''}`,
    `timer    ${timer.source === 'wall' ? 'wall clock' : 'GPU timestamps'}, step ${timer.stepNs} ns; wall clock / timer = ${formatSignificant(timer.wallRatio, 3)}`,
    `ceiling  ${formatSignificant(ceiling.readGBps, 3)} GB/s read, measured (${formatBytes(ceiling.bytes)}, best of ${ceiling.samplesNs.length})`,
    `caches   cold rows read copies in turn, more than ${formatBytes(context.coldBytes)} together`,
    `host     plan of 64 sequences ${us(context.host.plan64Ns)} µs; "record" is CPU time per layer and step`,
    `order    rows of one depth interleaved sample by sample, shuffled · seed ${context.seed}`,
    checked.length > 0
      ? `check    ${passed}/${checked.length} outputs within bound of the float64 reference, before and after, worst error ${worst.toExponential(1)}`
      : 'check    off: nothing here is known to be right',
  ];
}

/** The lines below the table: wrong rows, what keeps rows from the ideal, first runs, warnings of rows. */
export function noteLines(result: BenchResult): string[] {
  const lines: string[] = [];
  for (const row of result.results) {
    if (row.error) lines.push(`error    ${row.id}: ${row.error}`);
  }
  for (const { text } of result.context.warnings) lines.push(`warning  ${text}`);
  lines.push(...warmthNotes(result));
  for (const row of farFromIdeal(result.results)) {
    lines.push(`note     ${fixedCostSentence(result.results, result.context.ceiling, row)}`);
  }
  const firsts = result.results.flatMap((row) => (row.time ? [row.time.firstNs] : []));
  if (firsts.length > 0) {
    lines.push(
      `note     ± is half the 95 % interval of the median. Slowest first run, shader compile included: ${formatSignificant(Math.max(...firsts) / 1e6, 3)} ms.`,
    );
  }
  return lines;
}

/** Of each family the row with the fewest KV heads that stays far from its ideal speed-up. */
export function farFromIdeal(rows: readonly BenchRow[]): BenchRow[] {
  const fewest = new Map<string, BenchRow>();
  for (const row of rows) {
    const ratio = speedUp(rows, row);
    if (!ratio || ratio.real >= FAR_FROM_IDEAL * ratio.ideal) continue;
    const held = fewest.get(family(row.params));
    if (!held || row.params.kvHeads < held.params.kvHeads) fewest.set(family(row.params), row);
  }
  return [...fewest.values()];
}

function us(ns: number): string {
  return formatSignificant(ns / 1000, 3);
}

/** What of a timed row's time is reading KV at the ceiling and what is not. */
export function fixedCostSentence(rows: readonly BenchRow[], ceiling: CeilingContext, row: BenchRow): string {
  const { real, ideal } = speedUp(rows, row)!;
  const { heads, kernel } = row.params;
  const total = row.time!.median;
  const reading = Math.min(total, row.bytes.kvRead / ceiling.readGBps);
  const rest = total - reading;
  const name = `${row.variant} ${typesOf(row.params)}${kernel === 'auto' ? '' : ` (${kernel})`} @ ${row.test.replace('attn @ ', '')}`;
  return (
    `${name} reads only ${formatBytes(row.bytes.kvRead)}, ${us(reading)} µs at the ceiling; the other ` +
    `${us(rest)} µs (${Math.round((100 * rest) / total)} %) is cost that does not shrink with KV heads (scores, softmax and sums of all ` +
    `${heads} query heads, dispatch, merge), so it gets ${formatSignificant(real, 3)}× and not ${formatSignificant(ideal, 3)}×.`
  );
}

/** Everything a person reads: header, table, notes. */
export function markdownReport(result: BenchResult): string {
  // Two blanks at a line's end keep it a line of its own where Markdown is shown.
  const lines = (texts: readonly string[]) => texts.join('  \n');
  return [lines(headerLines(result)), resultTable(result), lines(noteLines(result))].join('\n\n');
}

const CSV_COLUMNS =
  'id,variant,model,heads,kvHeads,headDim,batch,depth,requests,capacity,kType,vType,kernel,sizes,splits,kvRead,medianNs,wallNs,planNs,recordNs,ciLowNs,ciHighNs,minNs,samples,GBps,ceilingShare,speedUp,ideal,maxAbsErr,bound,error';

/** One line per row, with a header line; times in nanoseconds, bytes whole. */
export function csvReport(result: BenchResult): string {
  const lines = result.results.map((row) => {
    const p = row.params;
    const ratio = speedUp(result.results, row);
    const fields = [
      row.id,
      row.variant,
      p.model,
      p.heads,
      p.kvHeads,
      p.headDim,
      p.batch,
      p.depth,
      p.requests,
      p.capacity,
      p.kType,
      p.vType,
      kernelCell(row),
      row.sizes,
      row.splits,
      row.bytes.kvRead,
      row.time?.median,
      row.time ? median(row.time.wallNs) : undefined,
      row.host?.planNs,
      row.host?.recordNs,
      row.time?.ci95[0],
      row.time?.ci95[1],
      row.time?.min,
      row.time?.samplesNs.length,
      gbPerSecond(row),
      ceilingShare(result.context.ceiling, row),
      ratio?.real,
      ratio?.ideal,
      row.check ? worstCheck(row) : undefined,
      row.check?.bound,
      row.error,
    ];
    return fields.map((field) => csvField(field)).join(',');
  });
  return [CSV_COLUMNS, ...lines].join('\n');
}

function csvField(value: string | number | undefined): string {
  const text = value === undefined ? '' : String(value);
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

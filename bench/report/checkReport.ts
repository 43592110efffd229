// checkReport.ts: what a check of the kernels says of its runs, as text and as data: the command's, and the page's. Pure.
import { CHECK_CASES } from '../check/cases.ts';
import type { CheckCase } from '../check/checkCase.ts';
import type { CheckRow } from '../check/check.ts';
import type { AppendCheck } from '../check/checkAppend.ts';
import type { BenchContext, PartialRun } from '../schema/schema.ts';
import { markdownTable, plural, type Column } from '../text/format.ts';
import type { DecodeKernel } from '../../src/decode/planContext.ts';
import { KV_TYPES } from '../../src/numbers/elements.ts';
import { variantName } from '../../src/kernels/fused.ts';

/** A check that has ended: who ran it where, what was to be run, and what came of it. */
export interface CheckResult {
  readonly version: string;
  readonly runtime: BenchContext['runtime'];
  readonly adapter: string;
  readonly software: boolean;
  readonly seconds: number;
  /** The cases that were to be run. */
  readonly cases: readonly CheckCase[];
  readonly rows: readonly CheckRow[];
  readonly appends: readonly AppendCheck[];
  /** Of a check that was cut short: why, and how many runs (`rows`) it would have had. */
  readonly partial?: PartialRun;
}

/** All that a person reads of a check. */
export function checkMarkdown(result: CheckResult): string {
  const { rows, appends, partial } = result;
  return [
    ...headLines(result),
    ...(partial ? [`PARTIAL: ${rows.length} of ${partial.rows} runs; ${partial.reason}`] : []),
    '',
    checkText(rows, partial?.rows),
    ...appendsText(appends),
  ].join('\n');
}

/** A check as plain data. */
export function checkJson(result: CheckResult) {
  const { cases: _, rows, appends, ...facts } = result;
  return { ...facts, groups: groupChecks(rows), rows, appends };
}

const FEWER =
  'Cases of other head dims and query counts, of features, rows and pages: f16 only, by the kernel that this device takes (--full for the rest).';

function headLines({ version, runtime, adapter, cases, seconds }: CheckResult): string[] {
  const left = CHECK_CASES.length - cases.length;
  const scope =
    left > 0 ? `${cases.length} of the grid's ${CHECK_CASES.length} cases` : `all ${cases.length} cases`;
  const { kind, version: release, webgpu } = runtime;
  const where = `${kind} ${release}${webgpu === undefined ? '' : `, ${webgpu}`}`;
  return [
    `gqa ${version} check on "${adapter}" (${where}), ${scope}, ${seconds.toFixed(1)} s`,
    ...(cases.some(({ variants }) => variants) ? [FEWER] : []),
  ];
}

/** All runs of a kernel over caches of one element type, and the worst error among them. */
export interface CheckGroup {
  readonly kernel: DecodeKernel;
  readonly elements: string;
  readonly runs: number;
  readonly failed: number;
  /** The error nearest to (or farthest over) its bound; none when no run gave a result. */
  readonly worst: WorstError | undefined;
}

/** An error of the output or of the log-sum-exp, and the run it occurred in. */
export interface WorstError {
  readonly of: 'o' | 'lse';
  readonly error: number;
  readonly bound: number;
  readonly case: string;
}

/** Did this run give a result within the bounds? */
export function passed({ verdict }: CheckRow): boolean {
  return verdict?.pass === true;
}

/** The runs by kernel and element type, in order of appearance. */
export function groupChecks(rows: readonly CheckRow[]): CheckGroup[] {
  const groups = new Map<string, { kernel: DecodeKernel; elements: string; members: CheckRow[] }>();
  for (const row of rows) {
    const { kernel, elements } = row;
    const group = groups.get(`${kernel}/${elements}`) ?? { kernel, elements, members: [] };
    group.members.push(row);
    groups.set(`${kernel}/${elements}`, group);
  }
  return [...groups.values()].map(({ kernel, elements, members }) => ({
    kernel,
    elements,
    runs: members.length,
    failed: members.filter((row) => !passed(row)).length,
    worst: worstOf(members.flatMap(errorsOf)),
  }));
}

function worstOf(errors: readonly WorstError[]): WorstError | undefined {
  return errors.reduce<WorstError | undefined>(
    (a, b) => (a && shareOfBound(a) >= shareOfBound(b) ? a : b),
    undefined,
  );
}

/** The worst error of a run; none when it gave no result. */
export function worstError(row: CheckRow): WorstError | undefined {
  return worstOf(errorsOf(row));
}

function errorsOf({ case: name, verdict }: CheckRow): WorstError[] {
  if (!verdict) return [];
  return [
    { of: 'o', error: verdict.maxAbsErr, bound: verdict.bound, case: name },
    { of: 'lse', error: verdict.lseAbsErr, bound: verdict.lseBound, case: name },
  ];
}

/** The error as a share of its bound; where nothing may differ (all rows empty) the bound is 0. Infinite for what is no number. */
export function shareOfBound({ error, bound }: WorstError): number {
  if (!Number.isFinite(error + bound)) return Infinity;
  return error === 0 ? 0 : error / bound;
}

const COLUMNS: readonly Column[] = [
  { title: 'kernel', align: 'left' },
  { title: 'K/V', align: 'left' },
  { title: 'runs', align: 'right' },
  { title: 'failed', align: 'right' },
  { title: 'worst error', align: 'right' },
  { title: 'bound', align: 'right' },
  { title: 'of bound', align: 'right' },
  { title: 'where', align: 'left' },
];

/**
 * The groups as a Markdown table, then a verdict, then each failed run in detail. Of fewer runs than were planned it is no
 * "ok", and may be a failure.
 */
export function checkText(rows: readonly CheckRow[], planned = rows.length): string {
  const failures = rows.filter((row) => !passed(row));
  const cases = new Set(rows.map((row) => row.case)).size;
  const scope = `${plural(rows.length, 'run')} of ${plural(cases, 'case')}`;
  const within = `${scope}, all within the bounds${untriedText(rows)}`;
  const rest = planned - rows.length;
  const good = rest === 0 ? `ok: ${within}` : `no verdict: ${plural(rest, 'run')} left out; ${within}`;
  const verdict = failures.length === 0 ? good : `FAILED: ${failures.length} of ${scope}`;
  return [
    markdownTable(COLUMNS, groupChecks(rows).map(groupCells)),
    '',
    verdict,
    ...failures.map((row) => `  ${failureText(row)}`),
  ].join('\n');
}

/** The element types of a cache that no run tried: nothing is said of these. */
function untriedText(rows: readonly CheckRow[]): string {
  const tried = new Set(rows.flatMap(({ elements }) => elements.split('-')));
  const untried = KV_TYPES.filter((type) => !tried.has(type));
  return untried.length > 0 ? `; not tried: ${untried.join(', ')}` : '';
}

/** A line of appends to caches, if any were checked, and one for each type that is wrong. */
export function appendsText(appends: readonly AppendCheck[]): string[] {
  if (appends.length === 0) return [];
  const wrong = appends.filter((each) => each.wrong !== undefined);
  const types = appends.map(({ type }) => type).join(', ');
  if (wrong.length === 0) return [`ok: appends to caches of ${types} are stored as on the host, to the bit`];
  return [
    `FAILED: appends to caches of ${wrong.length} of ${appends.length} element types`,
    ...wrong.map((each) => `  ${each.type}: ${each.wrong}`),
  ];
}

function groupCells({ kernel, elements, runs, failed, worst }: CheckGroup): string[] {
  const counts = [kernel, elements, String(runs), String(failed)];
  if (!worst) return [...counts, '', '', '', 'no result'];
  const percent = `${(100 * shareOfBound(worst)).toFixed(0)} %`;
  return [...counts, short(worst.error), short(worst.bound), percent, `${worst.of} of ${worst.case}`];
}

/** A run's kernel, and its sizes where it has such. */
export function runName({ variant, kernel }: Pick<CheckRow, 'variant' | 'kernel'>): string {
  return variant ? variantName(variant) : kernel;
}

function failureText(row: CheckRow): string {
  return `${row.case}, ${runName(row)}: ${faultText(row)}`;
}

/** What is wrong with a run that did not pass: its errors beside their bounds and the worst element, or why it gave no result. */
function faultText(row: CheckRow): string {
  const { verdict } = row;
  if (!verdict) return row.error ?? 'no result';
  const errors = errorsOf(row).map(
    ({ of, error, bound }) => `${of} error ${short(error)}, bound ${short(bound)}`,
  );
  const notFinite = verdict.notFinite === undefined ? '' : `; ${verdict.notFinite}`;
  return `${errors.join('; ')}; worst of o at ${verdict.worst}${notFinite}`;
}

/** An error or a bound, as the report writes it. */
export function short(value: number): string {
  return value.toExponential(1);
}

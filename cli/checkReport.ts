// checkReport.ts: what `gqa check` says of its runs, as text and as data. Pure.
import type { CheckRow } from '../bench/check/check.ts';
import type { AppendCheck } from '../bench/check/checkAppend.ts';
import { markdownTable, plural, type Column } from '../bench/text/format.ts';
import type { DecodeKernel } from '../src/decode/planContext.ts';
import { KV_TYPES } from '../src/numbers/elements.ts';
import { variantName } from '../src/kernels/fused.ts';

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
  return errors.reduce<WorstError | undefined>((a, b) => (a && share(a) >= share(b) ? a : b), undefined);
}

function errorsOf({ case: name, verdict }: CheckRow): WorstError[] {
  if (!verdict) return [];
  return [
    { of: 'o', error: verdict.maxAbsErr, bound: verdict.bound, case: name },
    { of: 'lse', error: verdict.lseAbsErr, bound: verdict.lseBound, case: name },
  ];
}

/** The error as a share of its bound; where nothing may differ (all rows empty) the bound is 0. Infinite for what is no number. */
function share({ error, bound }: WorstError): number {
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
  const percent = `${(100 * share(worst)).toFixed(0)} %`;
  return [...counts, short(worst.error), short(worst.bound), percent, `${worst.of} of ${worst.case}`];
}

function failureText(row: CheckRow): string {
  const { verdict, variant } = row;
  const where = `${row.case}, ${variant ? variantName(variant) : row.kernel}`;
  if (!verdict) return `${where}: ${row.error}`;
  const errors = errorsOf(row).map(
    ({ of, error, bound }) => `${of} error ${short(error)}, bound ${short(bound)}`,
  );
  const notFinite = verdict.notFinite === undefined ? '' : `; ${verdict.notFinite}`;
  return `${where}: ${errors.join('; ')}; worst of o at ${verdict.worst}${notFinite}`;
}

function short(value: number): string {
  return value.toExponential(1);
}

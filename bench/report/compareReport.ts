// compareReport.ts: a comparison as people read it, a Markdown table and the conditions below it; and as JSON.
import { stateOf, type Change, type ComparedRow, type Comparison, type Side } from './compare.ts';
import { isWholeResult, noShareText, shareOf, type ResultRow } from './compareKinds.ts';
import type { Difference } from './compareFacts.ts';
import { formatSignificant, markdownTable, type Column } from '../text/format.ts';
import { sampleCount } from '../schema/samples.ts';
import { median } from '../schema/stats.ts';

/** Everything a person reads: the two runs, the table, what differs and what does not, rows of one run only. */
export function compareMarkdown(comparison: Comparison): string {
  // Two blanks at a line's end keep it a line of its own where Markdown is shown.
  const lines = (texts: readonly string[]) => texts.join('  \n');
  const { a, b } = comparison;
  const parts = [
    lines([sideLine('A', a), sideLine('B', b)]),
    ...(comparison.rows.length > 0 ? [table(comparison)] : []),
    lines(compareNotes(comparison).map(({ kind, text }) => `${kind.padEnd(KIND_WIDTH)}${text}`)),
  ];
  return parts.join('\n\n');
}

function sideLine(letter: string, { name, result }: Side): string {
  const { tool, date, runtime, adapter, label } = result.context;
  const names = [adapter.vendor, adapter.architecture, adapter.device, adapter.description].filter(Boolean);
  const parts = [
    `${tool.version}${tool.commit ? ` (${tool.commit})` : ''}`,
    date.slice(0, 10),
    `${runtime.kind} ${runtime.version}`,
    names.join(' · ') || 'adapter unnamed by the browser',
    ...(adapter.software ? ['SOFTWARE'] : []),
    ...(label ? [`label "${label}"`] : []),
  ];
  return `${letter}        ${name} · ${parts.join(' · ')}`;
}

function table(comparison: Comparison): string {
  const { columns, rows } = compareTable(comparison);
  return markdownTable(columns, rows);
}

/** The comparison's table: its columns, and the cells of its rows in the comparison's order. */
export function compareTable(comparison: Comparison): {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly string[])[];
} {
  const [a, b] = columnNames(comparison);
  const { name: unit } = unitOf(comparison);
  const columns: Column[] = [
    { title: 'row', align: 'left' },
    { title: 'variant', align: 'left' },
    { title: `${a} ${unit}`, align: 'right' },
    { title: `${b} ${unit}`, align: 'right' },
    { title: 'change [95 % interval]', align: 'right' },
    { title: 'verdict', align: 'left' },
  ];
  const shares = [a, b].map((name): Column => ({ title: `${name} % ceiling`, align: 'right' }));
  return {
    columns: comparison.sameDevice ? columns : [...columns, ...shares],
    rows: comparison.rows.map((row) => cells(comparison, row)),
  };
}

const LONGEST_NAME = 16;

/** The files' own names without folder and ending, if they are short and tell the two apart; else A and B. */
function columnNames({ a, b }: Comparison): [string, string] {
  const [nameA, nameB] = [a, b].map(({ name }) => name.replace(/^.*[/\\]|\.json$/g, '')) as [string, string];
  const usable = nameA !== nameB && [nameA, nameB].every((name) => /^[\w.-]+$/.test(name));
  return usable && Math.max(nameA.length, nameB.length) <= LONGEST_NAME ? [nameA, nameB] : ['A', 'B'];
}

function cells(comparison: Comparison, { id, a, b, change }: ComparedRow): string[] {
  const own = [
    id,
    a.variant,
    timeCell(comparison, a),
    timeCell(comparison, b),
    change ? changeCell(change) : '',
    change ? verdictCell(change) : outcomeCell(a, b),
  ];
  if (comparison.sameDevice) return own;
  return [...own, shareCell(comparison.a, a), shareCell(comparison.b, b)];
}

function verdictCell({ verdict, why }: Change): string {
  if (verdict === undefined) return 'none: another suite';
  return why === undefined ? verdict : `${verdict}: ${why}`;
}

/** Times of attention are in microseconds, of whole models in milliseconds. */
function unitOf({ a }: Comparison): { name: string; ns: number } {
  return isWholeResult(a.result) ? { name: 'ms', ns: 1e6 } : { name: 'µs', ns: 1000 };
}

function timeCell(comparison: Comparison, row: ResultRow): string {
  const state = stateOf(row);
  if (state !== 'timed') return state === 'wrong' ? 'WRONG' : state;
  return formatSignificant(median(row.time!.samplesNs) / unitOf(comparison).ns, 4);
}

function outcomeCell(a: ResultRow, b: ResultRow): string {
  const [stateA, stateB] = [stateOf(a), stateOf(b)];
  if (stateA === stateB) return `${stateA} in both`;
  return [
    ...(stateA === 'timed' ? [] : [`${stateA} in A`]),
    ...(stateB === 'timed' ? [] : [`${stateB} in B`]),
  ].join(', ');
}

function changeCell({ change, interval }: Change): string {
  if (!interval) return `${percent(change)} % [none]`;
  const [low, high] = interval;
  return `${percent(change)} % [${percent(low)}, ${percent(high)}]`;
}

/** `+3.3`, `-0.4`; what rounds to nothing is `+0.0`. */
function percent(share: number): string {
  const text = (100 * share).toFixed(1);
  return text.startsWith('-') && Number(text) !== 0 ? text : `+${text.replace('-', '')}`;
}

function shareCell({ result }: Side, row: ResultRow): string {
  if (stateOf(row) !== 'timed') return '';
  const share = shareOf(result.context.ceiling, row);
  return share === undefined ? noShareText(row) : `${formatSignificant(100 * share, 2)} %`;
}

/** A line below the table. */
export interface CompareNote {
  readonly kind: 'differs' | 'same' | 'only A' | 'only B' | 'error' | 'warning' | 'note';
  readonly text: string;
}

const KIND_WIDTH = 9;

/** What differs and what does not, rows of one run only, what went wrong, and how to read it. */
export function compareNotes(comparison: Comparison): CompareNote[] {
  return [...factNotes(comparison), ...rowNotes(comparison)];
}

function factNotes({ differs, same, rows }: Comparison): CompareNote[] {
  const ran = rows.filter(({ a, b }) => a.time && b.time).length;
  const nothing = 'nothing that the files tell';
  return [
    { kind: 'differs', text: differs.map((each) => differenceText(each, ran)).join(', ') || nothing },
    { kind: 'same', text: same.join(', ') || nothing },
  ];
}

function differenceText({ name, a, b, rows, ways }: Difference, ran: number): string {
  const more = ways !== undefined && ways > 1 ? ', …' : '';
  return `${name}${rows === undefined ? '' : ` of ${rows} of ${ran} rows`} (${a} / ${b}${more})`;
}

function rowNotes(comparison: Comparison): CompareNote[] {
  const { onlyInA, onlyInB, rows } = comparison;
  const only = (kind: 'only A' | 'only B', list: readonly ResultRow[]): CompareNote[] =>
    list.length > 0 ? [{ kind, text: list.map(({ id }) => id).join(', ') }] : [];
  const warnings = [...compareWarnings(comparison), ...runWarnings(comparison)];
  return [
    ...only('only A', onlyInA),
    ...only('only B', onlyInB),
    ...rows.flatMap((row) => [...errorNote('A', row.a), ...errorNote('B', row.b)]),
    ...warnings.map((text): CompareNote => ({ kind: 'warning', text })),
    ...(rows.some(({ change }) => change) ? [verdictNote(comparison)] : []),
  ];
}

/** The warnings of the runs themselves, once where both have the same. */
function runWarnings({ a, b }: Comparison): string[] {
  const [ofA, ofB] = [a, b].map(({ result }) => result.context.warnings.map(({ text }) => text)) as [
    string[],
    string[],
  ];
  return [
    ...ofA.map((text) => `${ofB.includes(text) ? 'A and B' : 'A'}: ${text}`),
    ...ofB.filter((text) => !ofA.includes(text)).map((text) => `B: ${text}`),
  ];
}

function errorNote(letter: string, { id, error }: ResultRow): CompareNote[] {
  return error ? [{ kind: 'error', text: `${letter}: ${id}: ${error}` }] : [];
}

function verdictNote({ margin }: Comparison): CompareNote {
  const text =
    `change is of the median, B against A; equivalent: the whole interval within ±${Number((100 * margin).toFixed(3))} %. ` +
    'The interval knows the noise within each run, not what changed between the two.';
  return { kind: 'note', text };
}

/** What a reader must know before anything else. */
export function compareWarnings({ a, b, sameSuite, rows }: Comparison): string[] {
  return [
    ...(sameSuite
      ? []
      : [
          `suites ${a.result.suite} and ${b.result.suite} measure differently: their times are not comparable, and no row gets a verdict`,
        ]),
    ...(rows.length > 0 ? [] : ['no row is in both results: nothing was compared']),
  ];
}

/** Bumped when its readers would break. */
const SCHEMA = 'gqa-compare/1';

/** The comparison as plain data. Times in nanoseconds, changes and shares as fractions. */
export function compareJson(comparison: Comparison) {
  const { a, b, margin, rows, onlyInA, onlyInB, differs, same } = comparison;
  return {
    schema: SCHEMA,
    margin,
    a: sideJson(a),
    b: sideJson(b),
    rows: rows.map((row) => ({
      id: row.id,
      variant: row.a.variant,
      a: rowJson(a, row.a),
      b: rowJson(b, row.b),
      ...row.change,
    })),
    onlyInA: onlyInA.map(({ id }) => id),
    onlyInB: onlyInB.map(({ id }) => id),
    differs,
    same,
    warnings: compareWarnings(comparison),
  };
}

function sideJson({ name, result: { suite, context } }: Side) {
  const { date, tool, runtime, adapter, label, warnings } = context;
  return { file: name, suite, date, tool, runtime, adapter, ...(label && { label }), warnings };
}

function rowJson({ result }: Side, row: ResultRow) {
  const state = stateOf(row);
  const warnings = row.warnings.length > 0 && { warnings: row.warnings };
  if (state !== 'timed') return { state, ...(row.error && { error: row.error }), ...warnings };
  const share = shareOf(result.context.ceiling, row);
  return {
    state,
    medianNs: median(row.time!.samplesNs),
    samples: sampleCount(row.time!),
    ...(share !== undefined && { ceilingShare: share }),
    ...warnings,
  };
}

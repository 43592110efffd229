// wholeReport.ts: a run of whole models as people read it: the header, two tables, the notes.
import type { StepPart } from '../../src/models/decoder/stepParts.ts';
import { typesName } from '../../src/numbers/elements.ts';
import { halfWidth } from '../run/sampling.ts';
import { partShare, wholeShare } from '../schema/rates.ts';
import type { WholeParams, WholePart, WholeResult, WholeRow } from '../schema/wholeSchema.ts';
import { formatBytes, formatSignificant, markdownTable, plural, type Column } from '../text/format.ts';
import { crossings } from './crossing.ts';
import { runLines } from './runLines.ts';

const left = (title: string): Column => ({ title, align: 'left' });
const right = (title: string): Column => ({ title, align: 'right' });

/** Parts in the order of the table, by their names there. */
const PARTS: readonly (readonly [StepPart, string])[] = [
  ['attention', 'attention'],
  ['projections', 'q k v o'],
  ['mlp', 'MLP'],
  ['head', 'head'],
  ['embedding', 'rest'],
];

const NAMES = [left('variant'), right('KV heads'), left('test')];

const TIME_COLUMNS: readonly Column[] = [
  ...NAMES,
  right('tokens/s'),
  right('ms/step'),
  ...PARTS.map(([, title]) => right(`${title} ms`)),
  right('vs mha'),
];

const READ_COLUMNS: readonly Column[] = [
  ...NAMES,
  right('weights'),
  right('KV'),
  right('% ceiling'),
  ...PARTS.slice(0, -1).map(([, title]) => right(`${title} %`)),
  right('dispatches'),
  right('host µs'),
];

/** Everything a person reads. */
export function wholeReport(result: WholeResult): string {
  // Two blanks at a line's end keep it a line of its own where Markdown is shown.
  const lines = (texts: readonly string[]) => texts.join('  \n');
  return [lines(headerLines(result)), timeTable(result), readTable(result), lines(noteLines(result))].join(
    '\n\n',
  );
}

function headerLines({ context, results }: WholeResult): string[] {
  const [row] = results;
  const checked = results.flatMap(({ check }) => check ?? []);
  return [
    ...runLines(context),
    ...(row ? [`model    ${modelText(row.params, context.randomWeights)}`] : []),
    `order    rows of one depth interleaved sample by sample, shuffled, step and parts alike · seed ${context.seed}`,
    checked.length > 0
      ? `check    ${checked.filter(({ pass }) => pass).length}/${checked.length} rows within bound of the float64 reference, by the states and logits of a few tokens`
      : 'check    off: nothing here is known to be right',
  ];
}

function modelText(params: WholeParams, isRandom: boolean): string {
  const { model, layers, heads, headDim, weightType } = params;
  const weights = `${isRandom ? 'random ' : ''}weights ${weightType ?? 'as the checkpoint has them'}`;
  return `${model} · ${plural(layers, 'layer')}, ${heads} query heads of ${headDim} · ${weights} · KV ${typesName(params)}`;
}

function nameCells({ variant, params: { kvHeads, method, depth, batch } }: WholeRow): string[] {
  const merged = method === undefined ? '' : ` (${method})`;
  return [variant, `${kvHeads}${merged}`, `decode @ d${depth}${batch > 1 ? ` × ${batch}` : ''}`];
}

/** Times: the step's, and its parts'. */
export function timeTable({ results }: WholeResult): string {
  const rows = results.map((row) => {
    const { time, params, parts } = row;
    if (!time) return [...nameCells(row), row.check?.pass === false ? 'WRONG' : 'not run'];
    return [
      ...nameCells(row),
      formatSignificant((params.batch * 1e9) / time.median, 3),
      withNoise(row),
      ...PARTS.map(([part]) => partCell(parts![part])),
      speedUp(results, row),
    ];
  });
  return markdownTable(TIME_COLUMNS, rows);
}

function withNoise({ time, clockNs }: WholeRow): string {
  const half = halfWidth(time!.samplesNs, clockNs);
  return half === null ? ms(time!.median, 4) : `${ms(time!.median, 4)} ± ${ms(half, 2)}`;
}

function partCell({ time }: WholePart): string {
  return time ? ms(time.median, 3) : 'no time';
}

function speedUp(rows: readonly WholeRow[], { params, time, variant }: WholeRow): string {
  const base = rows.find(
    (row) =>
      row.variant === 'mha' &&
      row.params.depth === params.depth &&
      row.params.batch === params.batch &&
      row.time,
  );
  if (!base || variant === 'mha') return '';
  return `${formatSignificant(base.time!.median / time!.median, 3)}x`;
}

/** What is read, at which share of the ceiling, and what a step costs the host. */
export function readTable({ context, results }: WholeResult): string {
  const { ceiling, coldBytes } = context;
  const percent = (share: number | undefined) =>
    share === undefined ? '' : `${formatSignificant(100 * share, 2)} %`;
  const timed = results.filter(({ time }) => time);
  const rows = timed.map((row) => [
    ...nameCells(row),
    formatBytes(row.bytes.weights),
    formatBytes(row.bytes.kv),
    percent(wholeShare(ceiling, row)),
    ...PARTS.slice(0, -1).map(([part]) => percent(partShare(ceiling, row.parts![part], coldBytes))),
    String(row.dispatches),
    row.recordNs === null || row.recordNs === undefined ? '' : formatSignificant(row.recordNs / 1000, 3),
  ]);
  return markdownTable(READ_COLUMNS, rows);
}

function noteLines({ context, results }: WholeResult): string[] {
  return [
    ...results.flatMap(({ id, error }) => (error ? [`error    ${id}: ${error}`] : [])),
    ...context.warnings.map(({ text }) => `warning  ${text}`),
    ...crossings(results).map((text) => `note     ${text}`),
    `note     a part's time is that of its dispatches of all layers behind each other, alone: parts need not add up to the step.`,
    `note     a share of the ceiling is shown for what reads more than ${formatBytes(context.coldBytes)}; less may come from a cache.`,
  ];
}

function ms(ns: number, digits: number): string {
  return formatSignificant(ns / 1e6, digits);
}

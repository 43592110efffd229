// wholeReport.ts: a run of whole models as people read it: the header, two tables, the notes.
import type { StepPart } from '../../src/models/decoder/stepParts.ts';
import { typesName } from '../../src/numbers/elements.ts';
import { halfWidth } from '../run/sampling.ts';
import { partShare, wholeShare, wholeTokensPerSecond } from '../schema/rates.ts';
import type { WholeContext, WholeParams, WholePart, WholeResult, WholeRow } from '../schema/wholeSchema.ts';
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

const PROMPT_COLUMNS: readonly Column[] = [
  ...NAMES,
  right('tokens/s'),
  right('ms'),
  right('KV left'),
  right('dispatches'),
  right('host µs'),
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
  const prompts = result.results.filter(isPrompt);
  const steps = result.results.filter((row) => !isPrompt(row));
  return [
    lines(headerLines(result)),
    ...(steps.length > 0 ? [timeTable(steps), readTable(result.context, steps)] : []),
    ...(prompts.length > 0 ? [promptTable(prompts)] : []),
    lines(noteLines(result)),
  ].join('\n\n');
}

function isPrompt({ params }: WholeRow): boolean {
  return params.prompt !== undefined;
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

function nameCells({ variant, params: { kvHeads, method, depth, prompt, batch } }: WholeRow): string[] {
  const merged = method === undefined ? '' : ` (${method})`;
  const test = prompt === undefined ? `decode @ d${depth}` : `prefill @ p${prompt}`;
  return [variant, `${kvHeads}${merged}`, `${test}${batch > 1 ? ` × ${batch}` : ''}`];
}

/** Times: the step's, and its parts'. */
export function timeTable(steps: readonly WholeRow[]): string {
  return markdownTable(
    TIME_COLUMNS,
    steps.map((row) => [
      ...nameCells(row),
      ...timeCells(
        row,
        ...PARTS.map(([part]) => (row.parts ? partCell(row.parts[part]) : '')),
        speedUp(steps, row),
      ),
    ]),
  );
}

/** Prompts: their times, and what they leave behind. */
export function promptTable(prompts: readonly WholeRow[]): string {
  return markdownTable(
    PROMPT_COLUMNS,
    prompts.map((row) => [
      ...nameCells(row),
      ...timeCells(
        row,
        formatBytes(row.bytes.kv),
        String(row.dispatches),
        hostCell(row),
        speedUp(prompts, row),
      ),
    ]),
  );
}

/** Tokens per second, the time, and what else is said of a row that has one. */
function timeCells(row: WholeRow, ...others: string[]): string[] {
  const rate = wholeTokensPerSecond(row);
  if (rate === undefined) return [row.check?.pass === false ? 'WRONG' : 'not run'];
  return [formatSignificant(rate, 3), withNoise(row), ...others];
}

function hostCell({ recordNs }: WholeRow): string {
  return recordNs === null || recordNs === undefined ? '' : formatSignificant(recordNs / 1000, 3);
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
export function readTable({ ceiling, coldBytes }: WholeContext, steps: readonly WholeRow[]): string {
  const percent = (share: number | undefined) =>
    share === undefined ? '' : `${formatSignificant(100 * share, 2)} %`;
  const timed = steps.filter(({ time }) => time);
  const rows = timed.map((row) => [
    ...nameCells(row),
    formatBytes(row.bytes.weights),
    formatBytes(row.bytes.kv),
    percent(wholeShare(ceiling, row)),
    ...PARTS.slice(0, -1).map(([part]) => percent(partShare(ceiling, row.parts![part], coldBytes))),
    String(row.dispatches),
    hostCell(row),
  ]);
  return markdownTable(READ_COLUMNS, rows);
}

function noteLines({ context, results }: WholeResult): string[] {
  return [
    ...results.flatMap(({ id, error }) => (error ? [`error    ${id}: ${error}`] : [])),
    ...context.warnings.map(({ text }) => `warning  ${text}`),
    ...crossings(results).map((text) => `note     ${text}`),
    ...(results.some((row) => !isPrompt(row))
      ? [
          `note     a part's time is that of its dispatches of all layers behind each other, alone: parts need not add up to the step.`,
          `note     a share of the ceiling is shown for what reads more than ${formatBytes(context.coldBytes)}; less may come from a cache.`,
        ]
      : []),
    ...(results.some(isPrompt)
      ? [
          'note     prefill: prompts of all sequences into empty caches, pass by pass, and the choice of the next tokens.',
        ]
      : []),
  ];
}

function ms(ns: number, digits: number): string {
  return formatSignificant(ns / 1e6, digits);
}

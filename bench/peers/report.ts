// report.ts: a comparison as people read it: what ran where, the table, and what to keep in mind.
import { formatBytes, formatSignificant, markdownTable, type Column } from '../text/format.ts';
import { halfWidth } from '../run/sampling.ts';
import type { PeerPlace, PeerResult, PeerRow } from '../schema/peerSchema.ts';
import { median } from '../schema/stats.ts';
import { CHECKED_STEPS, TOLERANCE } from './train/expected.ts';

const COLUMNS: readonly Column[] = [
  { title: 'shape', align: 'left' },
  { title: 'place', align: 'left' },
  { title: 'contestant', align: 'left' },
  { title: 'ms (median)', align: 'right' },
  { title: 'of ours', align: 'right' },
  { title: 'GB/s', align: 'right' },
  { title: 'error vs float64', align: 'right' },
  { title: 'rotated', align: 'right' },
];

/** Everything a person reads: header, table, notes. */
export function peerReport(result: PeerResult): string {
  // Two blanks at a line's end keep it a line of its own where Markdown is shown.
  const lines = (texts: readonly string[]) => texts.join('  \n');
  const table = TEXTS[kindOf(result)].table(result.results);
  return [lines(peerHeader(result)), table, lines(peerNotes(result))].join('\n\n');
}

type Kind = 'attention' | 'whole' | 'training';

function kindOf({ results }: PeerResult): Kind {
  if (results.some(({ params }) => params.training)) return 'training';
  return results.some(({ params }) => params.model) ? 'whole' : 'attention';
}

/** The lines above the table: tool, packages, each place with its device, how it was timed. */
export function peerHeader(result: PeerResult): string[] {
  const { context } = result;
  const { tool, places, packages, label, seed, timer } = context;
  const versions = Object.entries(packages).map(([name, version]) => `${name} ${version}`);
  return [
    `${tool.name} ${tool.version}${tool.commit ? ` (${tool.commit})` : ''}${label ? ` · label "${label}"` : ''}`,
    `peers    ${versions.join(' · ') || 'none installed'}`,
    ...places.map(placeLine),
    `timer    ${TEXTS[kindOf(result)].timer ?? TIMERS[timer]}`,
    `order    contestants of one shape interleaved sample by sample, shuffled · seed ${seed}`,
    TEXTS[kindOf(result)].data(result),
  ];
}

/** The model that all rows share but for KV heads and type. */
function modelLine({ results }: PeerResult): string {
  const { heads, headDim, model } = results.find(({ params }) => params.model)!.params;
  const { layers, mlp, vocab } = model!;
  return `${layers} layers of ${heads} query heads of ${headDim}, MLP ${mlp}, vocabulary ${vocab}`;
}

const TIMERS: Readonly<Record<PeerResult['context']['timer'], string>> = {
  wall: 'wall clock per step: the same number of steps in a row, one submission each at least, then one wait',
  'cuda-event': 'CUDA events around steps in a row',
};

function placeLine({ name, runtime, adapter, features, ceiling }: PeerPlace): string {
  const names = adapter ? [adapter.vendor, adapter.architecture, adapter.device, adapter.description] : [];
  const device = names.filter(Boolean).join(' · ') || 'no WebGPU device';
  const software = adapter?.software ? ' · SOFTWARE' : '';
  const f16 = adapter ? ` · shader-f16 ${features.includes('shader-f16') ? 'yes' : 'no'}` : '';
  const read = ceiling ? ` · reads ${formatSignificant(ceiling.readGBps, 3)} GB/s` : '';
  const webgpu = runtime.webgpu ? `, ${runtime.webgpu}` : '';
  return `${name.padEnd(8)} ${runtime.kind} ${runtime.version}${webgpu} · ${device}${software}${f16}${read}`;
}

/** The table of all rows, shape by shape. */
export function peerTable(rows: readonly PeerRow[]): string {
  return markdownTable(
    COLUMNS,
    rows.map((row, i) => cells(rows, row, i === 0 || rows[i - 1]!.id !== row.id)),
  );
}

function cells(rows: readonly PeerRow[], row: PeerRow, first: boolean): string[] {
  return [
    first ? row.id : '',
    row.place,
    row.engine,
    timeCell(row),
    ratioCell(rows, row),
    row.time ? formatSignificant(row.bytes.kvRead / row.time.median, 3) : '',
    errorCell(row),
    row.time ? `${row.cold ? '' : 'warm, '}${formatBytes(row.workingSetBytes)}` : '',
  ];
}

const WHOLE_COLUMNS: readonly Column[] = [
  { title: 'Hkv', align: 'right' },
  { title: 'type', align: 'left' },
  { title: 'tokens', align: 'right' },
  { title: 'place', align: 'left' },
  { title: 'contestant', align: 'left' },
  { title: 'tokens/s', align: 'right' },
  { title: 'ms/token (median)', align: 'right' },
  { title: 'of ours', align: 'right' },
  { title: 'GB/s', align: 'right' },
  { title: 'worst logit error', align: 'right' },
];

/** The table of a run of whole models; GB/s are those of weights and KV. */
export function wholeTable(rows: readonly PeerRow[]): string {
  return markdownTable(
    WHOLE_COLUMNS,
    rows.map((row, i) => {
      const { kvHeads, type, depth } = row.params;
      const first = i === 0 || rows[i - 1]!.id !== row.id;
      const { kvRead, weights = 0 } = row.bytes;
      return [
        ...(first ? [String(kvHeads), type, String(depth)] : ['', '', '']),
        row.place,
        row.engine,
        row.time ? formatSignificant(1e9 / row.time.median, 3) : '',
        timeCell(row),
        ratioCell(rows, row),
        row.time ? formatSignificant((kvRead + weights) / row.time.median, 3) : '',
        errorCell(row),
      ];
    }),
  );
}

const TRAINING_COLUMNS: readonly Column[] = [
  { title: 'size', align: 'left' },
  { title: 'place', align: 'left' },
  { title: 'contestant', align: 'left' },
  { title: 'ms/step (median)', align: 'right' },
  { title: 'tokens/s', align: 'right' },
  { title: 'of ours', align: 'right' },
  { title: 'worst loss error', align: 'right' },
];

/** The table of a run of training. */
export function trainingTable(rows: readonly PeerRow[]): string {
  return markdownTable(
    TRAINING_COLUMNS,
    rows.map((row, i) => [
      i === 0 || rows[i - 1]!.id !== row.id ? row.id.replace('train_', '') : '',
      row.place,
      row.engine,
      timeCell(row),
      row.time ? formatSignificant(trainedPerSecond(row)!, 3) : '',
      ratioCell(rows, row),
      errorCell(row),
    ]),
  );
}

/** Tokens of all sequences that a row of training takes per second; undefined without a time. */
export function trainedPerSecond({ params, time }: PeerRow): number | undefined {
  return time ? (params.batch * params.depth * 1e9) / time.median : undefined;
}

function timeCell({ time, check }: PeerRow): string {
  if (!time) return check && !(check.after ?? check.before).pass ? 'WRONG' : 'not run';
  const half = halfWidth(time.samplesNs);
  const interval = half === null ? '' : ` ± ${formatSignificant(half / 1e6, 2)}`;
  return `${formatSignificant(time.median / 1e6, 3)}${interval}`;
}

/**
 * Time over that of this project's default kernel in the same place, 2 took twice as long: the median over the rounds
 * of sampling, each with a sample of both, so that what slows a whole round down does not count.
 */
export function ratioToOurs(rows: readonly PeerRow[], row: PeerRow): number | undefined {
  const ours = rows.find(({ id, place, engine }) => {
    return id === row.id && place === row.place && engine === 'ours';
  });
  if (!row.time || !ours?.time) return undefined;
  const { samplesNs } = ours.time;
  const both = row.time.samplesNs.slice(0, samplesNs.length);
  return median(both.map((ns, round) => ns / samplesNs[round]!));
}

function ratioCell(rows: readonly PeerRow[], row: PeerRow): string {
  const ratio = ratioToOurs(rows, row);
  return ratio === undefined ? '' : `${formatSignificant(ratio, 3)}×`;
}

function errorCell({ check }: PeerRow): string {
  if (!check) return '';
  return Math.max(check.before.maxAbsErr, check.after?.maxAbsErr ?? 0).toExponential(1);
}

/** The lines below the table: failures, each once with its shapes; warnings; what each contestant's step is. */
export function peerNotes(result: PeerResult): string[] {
  const { context, results } = result;
  return [
    ...grouped(results, (row) => row.error).map(
      ([error, rows]) =>
        `error    ${nameOf(rows[0]!)}: ${error} (${[...new Set(rows.map(({ id }) => id))].join(', ')})`,
    ),
    ...context.warnings.map(({ text }) => `warning  ${text}`),
    ...grouped(results, (row) => row.step || undefined).map(
      ([step, rows]) => `step     ${nameOf(rows[0]!)}: ${step}`,
    ),
    'note     ± is half the 95 % interval of the median, which fewer than six samples do not have. "of ours": time over that of this project\'s default kernel in the same place and round, the median of all rounds; 2× took twice as long.',
    `note     ${TEXTS[kindOf(result)].errors}`,
  ];
}

function nameOf({ engine, place }: PeerRow): string {
  return `${engine}@${place}`;
}

/** What differs between kinds of comparisons; without a `timer` the result's clock says how. */
const TEXTS: Readonly<
  Record<
    Kind,
    {
      readonly table: (rows: readonly PeerRow[]) => string;
      readonly timer?: string;
      readonly data: (result: PeerResult) => string;
      readonly errors: string;
    }
  >
> = {
  attention: {
    table: peerTable,
    data: ({ context }) =>
      `caches   K and V rotated over copies of ${formatBytes(context.coldBytes)} and more, unless a row says "warm"`,
    errors:
      "errors are the worst absolute ones before and after timing, bounded by twice that of a simple implementation in the type the engine computes in, and that type's rounding.",
  },
  whole: {
    table: wholeTable,
    timer:
      'wall clock per token: greedy tokens one by one, each chosen by the engine, up to 64 of them in a row',
    data: (result) => `model    a Llama of random f16 weights: ${modelLine(result)}`,
    errors:
      'errors are the worst absolute ones of logits before and after timing, bounded by twice that of a simple implementation in the type the engine computes in; greedy tokens are held against float64 too.',
  },
  training: {
    table: trainingTable,
    timer: 'wall clock per step: the same number of steps in a row, their losses read together at the end',
    data: (result) => {
      const { batch, depth } = result.results[0]!.params;
      return `model    a Llama in f32: ${modelLine(result)}; a step takes ${batch} sequences of ${depth} tokens`;
    },
    errors: `errors are the worst absolute ones of the losses of the first ${CHECKED_STEPS} steps, in nats, before and after timing, against the same training in float64; the bound is ${TOLERANCE.toExponential(0)}.`,
  },
};

/** Rows of one contestant with the same text, in order of appearance. */
function grouped(
  rows: readonly PeerRow[],
  textOf: (row: PeerRow) => string | undefined,
): [string, PeerRow[]][] {
  const groups = new Map<string, [string, PeerRow[]]>();
  for (const row of rows) {
    const text = textOf(row);
    if (text === undefined) continue;
    const key = `${nameOf(row)} ${text}`;
    const group = groups.get(key);
    if (group) group[1].push(row);
    else groups.set(key, [text, [row]]);
  }
  return [...groups.values()];
}

// words.ts: what the page says of a run in sentences: before it, of how it measures, and at its end. No DOM.
import { isSoftware } from '../../src/index.ts';
import { rowGroups } from '../../bench/run/rows.ts';
import { isWrong } from '../../bench/run/rowResult.ts';
import { SAMPLING_MS, SETTLED } from '../../bench/run/sampling.ts';
import type { BenchRow } from '../../bench/schema/schema.ts';
import type { Gpu } from '../shell/browser.ts';
import { durationText, expectedMs } from './efforts.ts';
import type { Place } from './fits.ts';
import type { Outcome } from './runner.ts';
import type { RunSettings } from './params.ts';

/** What is going to be measured, and how long that may take. */
export function planText(run: RunSettings, place: Place): string {
  const groups = rowGroups(run);
  const rows = groups.flat().length;
  const time = durationText(expectedMs(run, place));
  return `${leadText(run)} ${rows} ${rows === 1 ? 'row' : 'rows'}, ${time} at most.`;
}

/** The tab's state and status when nothing runs: on what it would, or why nothing can. */
export function readyText(gpu: Gpu, hasFaults: boolean): [state: 'idle' | 'error', status: string] {
  if (gpu.kind === 'none') return ['error', 'Nothing can run here; what to do about it stands below.'];
  if (hasFaults) return ['error', 'Nothing can run as the settings are.'];
  const { info } = gpu.adapter;
  if (isSoftware(info)) return ['idle', 'Ready, on a software renderer: it times this CPU, not a GPU.'];
  const name = [info.vendor, info.architecture].filter((text) => text !== '').join(' ');
  return ['idle', name === '' ? 'Ready.' : `Ready, on ${name}.`];
}

/** Of a run whose tab ended with it; `step` is what it was at. */
export function unfinishedText(step: string): string {
  const at = progressWords(step);
  return `The last run did not finish (${at}): its tab was closed, or the browser ended it. A shorter context, fewer KV heads or Quick ask less of the device.`;
}

/** What is measured in a sentence or two. */
export function leadText({ heads, headDim, kvHeads, model, kernels, kTypes, check }: RunSettings): string {
  const shape = `${heads} query heads of ${headDim}`;
  const ways = [
    ...(kernels.length > 1 ? [`by kernels ${kernels.join(', ')}`] : []),
    ...(kTypes.length > 1 ? [`with K of ${kTypes.join(', ')}`] : []),
  ];
  return [
    `One decoding step of attention in ${model === 'custom' ? shape : `the shape of ${model}: ${shape}`}, `,
    `once each with ${kvHeads.join(', ')} KV ${kvHeads.length === 1 && kvHeads[0] === 1 ? 'head' : 'heads'}`,
    ...ways.map((way) => `, ${way}`),
    '. ',
    kvHeads.length > 1 ? 'The queries are the same; fewer KV heads are less to read from memory. ' : '',
    check
      ? 'Every output is checked before its time is taken.'
      : 'No output is checked (no-check): nothing here is known to be right.',
  ].join('');
}

/** A step of a run as people say it: "d256: round 3" is "256 tokens: round 3". */
export function progressWords(text: string): string {
  return text
    .replaceAll(/\bd(\d+)\b/g, (_, tokens: string) => `${Number(tokens).toLocaleString('en-US')} tokens`)
    .replaceAll(/\b(mha|gqa|mqa)\b/g, (name) => name.toUpperCase())
    .replace(' @ ', ' at ')
    .replace(/^./, (first) => first.toUpperCase());
}

/** How it is measured. */
export function methodText({ check, reps, maxTimeMs, caches }: RunSettings): string {
  return [
    check
      ? 'The output of every row is compared with a float64 reference before it is timed and again after; a row that is wrong shows its error and no time.'
      : 'Outputs are not compared with a reference (no-check).',
    `The rows of one depth are sampled in turn, in shuffled order, ${samplingText(reps, maxTimeMs)}.`,
    ...(caches.includes('cold')
      ? [
          'A cold row reads copies of its caches in turn; the line "caches" of the report says how much they are together. A page cannot know how large the last-level cache is.',
        ]
      : []),
    ...(caches.includes('hot') ? ['A hot row reads a single copy of its caches again and again.'] : []),
    'The ceiling is the fastest that this device read plain memory in the same run. GB/s counts each byte of K and V once.',
    'The speed-up is against the mha row of the same depth, where the run has one that settled; in brackets stands the ideal one: what the bytes saved would give if reading them were all there is.',
  ].join(' ');
}

function samplingText(reps: number | undefined, maxTimeMs: number | undefined): string {
  if (reps !== undefined) return reps === 1 ? 'once' : `${reps} times`;
  const time =
    maxTimeMs === undefined
      ? `${SAMPLING_MS.row / 1000} s a row, at most ${SAMPLING_MS.most / 1000} s`
      : `${maxTimeMs / 1000} s`;
  return `until every median is known to ${100 * SETTLED} %, or for about ${time}`;
}

/** How a run of so many rows ended. */
export function runEnd(outcome: Outcome, planned: number, hasEarlier = false): string {
  const rows = 'result' in outcome && outcome.result ? outcome.result.results : [];
  const timed = rows.filter((row) => row.time).length;
  if (outcome.state === 'done') return `Done: ${timed} of ${rows.length} rows timed, ${checkedText(rows)}.`;
  const kept = hasEarlier ? ' The results of the run before stay.' : '';
  const left =
    rows.length === 0
      ? `No row was finished.${kept}`
      : `${rows.length} of ${planned} rows were finished; they are the result.`;
  if (outcome.state === 'stopped') return `Stopped. ${left}`;
  return `${failureTitle(outcome)} ${left} More below.`;
}

function failureTitle(outcome: Outcome): string {
  return outcome.state === 'error' && outcome.code === 'device-lost'
    ? 'The GPU was lost during the run; a shorter context or fewer KV heads ask less of it.'
    : 'The run failed.';
}

function checkedText(rows: readonly BenchRow[]): string {
  const checked = rows.filter(({ check }) => check).length;
  if (checked === 0) return 'none checked';
  const wrong = rows.filter(isWrong).length;
  return `${checked} checked against float64${wrong > 0 ? `, ${wrong} of them wrong` : ''}`;
}

/** How a tuning ended, and whether the browser could keep what was found. */
export function tuningEnd(outcome: Outcome, kept: boolean): string {
  if (outcome.state === 'stopped') return 'Stopped. Nothing of this tuning is kept.';
  if (outcome.state !== 'tuned') return 'The tuning failed; more below.';
  return kept
    ? 'Tuned. Runs in this browser use what was found.'
    : 'Tuned, but this browser keeps no data of this page: what was found is lost.';
}

// words.ts: what the page says of a run in sentences: before it, of how it measures, and at its end. No DOM.
import { isWrong } from '../../bench/run/rowResult.ts';
import { SAMPLING_MS, SETTLED } from '../../bench/run/sampling.ts';
import type { BenchRow } from '../../bench/schema/schema.ts';
import type { Outcome } from './runner.ts';
import type { RunSettings } from './settings.ts';

/** What is going to be measured. */
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
export function runEnd(outcome: Outcome, rows: readonly BenchRow[], planned: number): string {
  const timed = rows.filter((row) => row.time).length;
  if (outcome.state === 'done') return `Done: ${timed} of ${rows.length} rows timed, ${checkedText(rows)}.`;
  const left =
    rows.length === 0
      ? 'No row was finished.'
      : `${rows.length} of ${planned} rows were finished and stay on the page until the next run.`;
  return outcome.state === 'stopped' ? `Stopped. ${left}` : `The run failed; see above. ${left}`;
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
  if (outcome.state !== 'tuned') return 'The tuning failed; see above.';
  return kept
    ? 'Tuned. Runs in this browser use what was found.'
    : 'Tuned, but this browser keeps no data of this page: what was found is lost.';
}

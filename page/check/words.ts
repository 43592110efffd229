// words.ts: what a check of the kernels says in sentences: while it runs, and of what came of it. No DOM.
import type { CheckRow } from '../../bench/check/check.ts';
import type { AppendCheck } from '../../bench/check/checkAppend.ts';
import type { CheckCase } from '../../bench/check/checkCase.ts';
import { passed } from '../../bench/report/checkReport.ts';
import { formatMagnitude, plural } from '../../bench/text/format.ts';
import { typesName } from '../../src/numbers/elements.ts';
import type { PlannedRun } from './protocol.ts';

/** What came of a check so far, or in the end. */
export interface Checked {
  readonly runs: readonly PlannedRun[];
  readonly rows: readonly CheckRow[];
  readonly appends: readonly AppendCheck[];
}

/** `good` says that all that was planned ran and is right; `open` that nothing was wrong, and not all ran. */
export type Finding = 'good' | 'bad' | 'open';

export function findingOf({ runs, rows, appends }: Checked): Finding {
  if (!rows.every(passed) || appends.some(({ wrong }) => wrong !== undefined)) return 'bad';
  return rows.length < runs.length || rows.length === 0 ? 'open' : 'good';
}

/** How many cases there are, and how many of them were run whole, are wrong, or gave no result by some kernel. */
function countCases({ runs, rows }: Checked) {
  const all = new Set(runs.map((run) => run.case));
  const open = new Set(runs.slice(rows.length).map((run) => run.case));
  const wrong = new Set(rows.filter(({ verdict }) => verdict?.pass === false).map((row) => row.case));
  const failed = new Set(rows.filter((row) => !row.verdict && !wrong.has(row.case)).map((row) => row.case));
  return { all: all.size, whole: all.size - open.size, wrong: wrong.size, failed: failed.size };
}

/** The answer in a sentence or two. */
export function headline(checked: Checked): string {
  const { all, whole, wrong, failed } = countCases(checked);
  const badAppends = checked.appends.filter(({ wrong: fault }) => fault !== undefined);
  const sentences = [
    ...(wrong > 0 ? [`${ofAll(wrong, all)} ${wrong === 1 ? 'is' : 'are'} wrong on this device.`] : []),
    ...(failed > 0 ? [`${ofAll(failed, all)} gave no result on this device.`] : []),
    ...(badAppends.length > 0
      ? [`Appends to caches of ${badAppends.map(({ type }) => type).join(', ')} are stored wrong.`]
      : []),
  ];
  const right = whole - wrong - failed;
  if (whole < all) {
    const tail = `${ofAll(whole, all)} ${whole === 1 ? 'was' : 'were'} run`;
    if (sentences.length > 0) return `${sentences.join(' ')} Only ${tail}.`;
    return whole === 0
      ? 'No case was run: nothing is known.'
      : `${tail} and ${whole === 1 ? 'agrees' : 'agree'} with float64; nothing is known of the rest.`;
  }
  if (sentences.length > 0) return sentences.join(' ');
  return all === 1
    ? 'The case agrees with float64 on this device.'
    : `All ${right} cases agree with float64 on this device.`;
}

function ofAll(count: number, all: number): string {
  if (count === all && all > 1) return `All ${all} cases`;
  return `${count} of ${plural(all, 'case')}`;
}

/** What stands below it: how much that was, of how it was found, on what. */
export function scopeText({ runs, rows, appends }: Checked, adapter: string, seconds: number): string {
  const stored =
    appends.length > 0 && appends.every(({ wrong }) => wrong === undefined)
      ? ` Appends to caches of ${appends.map(({ type }) => type).join(', ')} are stored as on the host, to the bit.`
      : '';
  const part =
    rows.length < runs.length
      ? `${rows.length} of ${plural(runs.length, 'run')}`
      : plural(runs.length, 'run');
  return `${part}, each case by every kernel chosen that it runs here, on ${adapter}, in ${seconds.toFixed(1)} s.${stored}`;
}

/** Fewest runs that tell how long the others will take. */
const ENOUGH_RUNS = 4;

/** How long the rest will take at the pace so far: "about 40 s left"; empty as long as that is anybody's guess. */
export function timeLeft(done: number, all: number, ms: number): string {
  if (done < ENOUGH_RUNS || done >= all) return '';
  const seconds = ((all - done) * ms) / done / 1000;
  if (seconds < 100) return `about ${Math.max(1, Math.round(seconds))} s left`;
  return `about ${Math.round(seconds / 60)} min left`;
}

/** A case in words: "257 tokens, 8 query heads on 4 KV heads, head dim 64, cache of f16". */
export function caseText({ problem, places = {} }: CheckCase): string {
  const { numQHeads, numKvHeads, headDim, vHeadDim, kvLens, qLen = 1, qLens, causal = true } = problem;
  const { kType = 'f32', vType = kType, features = {} } = problem;
  const tokens = kvLens.length === 1 ? plural(kvLens[0]!, 'token') : `sequences of ${listed(kvLens)} tokens`;
  const positions = qLens ? `${listed(qLens)} query positions` : plural(qLen, 'query position');
  return [
    tokens,
    `${plural(numQHeads, 'query head')} on ${plural(numKvHeads, 'KV head')}`,
    `head dim ${headDim}${vHeadDim === undefined ? '' : ` (of V ${vHeadDim})`}`,
    ...(qLens || qLen > 1 ? [positions] : []),
    ...(causal ? [] : ['not causal']),
    ...Object.keys(features).map(featureText),
    ...(places.q || places.o ? ['rows in other places'] : []),
    ...(places.pageSize === undefined ? [] : [`pages of ${places.pageSize}`]),
    ...(places.grown ? ['a cache grown by appends and a fork'] : []),
    `cache of ${typesName({ kType, vType }, (k, v) => `${k} and ${v}`)}`,
  ].join(', ');
}

/** What is wrong with a run: how far off it is beside what is allowed, and the worst element; or why it gave no result. */
export function faultSentence({ verdict, error }: CheckRow): string {
  if (!verdict) return `no result. ${error ?? ''}`;
  const { maxAbsErr, bound, lseAbsErr, lseBound, worst, notFinite } = verdict;
  const off = (what: string, by: number, most: number) =>
    by <= most ? [] : [`${what} off by ${formatMagnitude(by)}, allowed ${formatMagnitude(most)}`];
  const errors = [...off('outputs', maxAbsErr, bound), ...off('log-sum-exps', lseAbsErr, lseBound)];
  return `${[...errors, ...(notFinite === undefined ? [] : [notFinite])].join('; ')}. Worst output ${worst}.`;
}

/** An error as a share of its bound: `36 %`, `1.4e6 times`. */
export function shareText(share: number): string {
  if (!Number.isFinite(share)) return 'beyond it';
  return share < 10 ? `${(100 * share).toFixed(0)} %` : `${formatMagnitude(share)} times`;
}

/** `sinkTokens` as people write it. */
function featureText(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function listed(numbers: readonly number[]): string {
  return `${numbers.slice(0, -1).join(', ')} and ${numbers.at(-1)}`;
}

/** What a check does, and what it does not. */
export const METHOD =
  'Each case is an attention problem of seeded random numbers. The kernels of this device compute its outputs and log-sum-exps, and each is held against the same problem in float64. An error may be at most twice that of a plain f32 computation, plus a millionth of the largest value. What is appended to a cache has to be stored as on the host, to the bit. Not checked here: prompts (kernel prefill) unless chosen, whole models (the command gqa check --model), training, and speed.';

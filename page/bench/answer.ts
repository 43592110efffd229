// answer.ts: what a run comes to, in a sentence with its uncertainty. No DOM.
import { isPreset, findPreset } from '../../src/models/presets.ts';
import { formatSignificant, plural } from '../../bench/text/format.ts';
import { isWrong } from '../../bench/run/rowResult.ts';
import { halfWidth } from '../../bench/run/sampling.ts';
import { variationText } from '../../bench/run/variations.ts';
import type { BenchRow, RowParams } from '../../bench/schema/schema.ts';
import { misfitCure, misfitOf, misfitReason, type Place } from './fits.ts';
import { ratioOf, ratioText, shareWords, type Ratio } from './ratio.ts';

/** A sentence, what stands below it, and how far it can be trusted. */
export interface Answer {
  readonly headline: string;
  readonly more: readonly string[];
  /** `rough`: times that did not settle, or too few samples of them; `none`: nothing could be compared. */
  readonly kind: 'measured' | 'rough' | 'none';
}

/** Undefined without rows. */
export function answerOf(rows: readonly BenchRow[], place: Place): Answer | undefined {
  const family = deepestFamily(rows);
  if (family.length === 0) return undefined;
  const timed = family.filter(({ time }) => time !== null);
  const faults = family.filter(({ time }) => time === null).map((row) => faultText(row, place));
  const [base] = timed;
  if (!base) return { headline: untimedHeadline(family, place), more: faults, kind: 'none' };
  const subject = subjectOf(timed);
  if (!subject) return alone(base, family, faults, place);
  const main = ratioOf(base, subject);
  const others = timed.filter((row) => row !== base && row !== subject);
  const trust = trustOf([base, subject, ...others]);
  const lost = lostBase(family, base, place);
  return {
    headline:
      (lost ?? '') +
      sentence(lost ? capital(nameOf(subject)) : `${here(place)}, ${nameOf(subject)}`, main, base, subject),
    more: [...fewestText(base, others), idealText(base, subject, main), ...faults, ...trust],
    kind: trust.length > 0 ? 'rough' : 'measured',
  };
}

/** The rows that differ from the deepest one with a time in KV heads alone, most KV heads first. */
function deepestFamily(rows: readonly BenchRow[]): BenchRow[] {
  const tokens = ({ params }: BenchRow) => params.depth * params.batch;
  const deepest = (among: readonly BenchRow[]) =>
    among.reduce<BenchRow | undefined>(
      (best, row) => (best && tokens(best) >= tokens(row) ? best : row),
      undefined,
    );
  const chosen = deepest(rows.filter(({ time }) => time)) ?? deepest(rows);
  if (!chosen) return [];
  const key = ({ params }: BenchRow) => JSON.stringify({ ...params, kvHeads: 0 });
  return rows
    .filter((row) => key(row) === key(chosen))
    .toSorted((a, b) => b.params.kvHeads - a.params.kvHeads);
}

/** The grouped row that a reader asks about: the model's own, or 8 KV heads as in the paper, or the first; without one MQA. */
function subjectOf([base, ...others]: readonly BenchRow[]): BenchRow | undefined {
  const { model } = base!.params;
  const own = isPreset(model) ? findPreset(model).numKvHeads : 8;
  const grouped = others.filter(({ params }) => params.kvHeads > 1);
  return (
    [own, 8].flatMap((kv) => grouped.filter(({ params }) => params.kvHeads === kv))[0] ??
    grouped[0] ??
    others[0]
  );
}

function here({ software }: Place): string {
  return software ? 'On this CPU (software renderer)' : 'On this GPU';
}

function sentence(who: string, ratio: Ratio, base: BenchRow, row: BenchRow): string {
  const than = nameOf(base);
  const share = `needs ${shareWords(base.bytes.kvRead, row.bytes.kvRead)}`;
  const at = atText(row.params);
  if (ratio.verdict === 'alike') {
    return `${who} shows no clear difference from ${than} ${at}: ${ratioText(ratio)} as fast; it ${share}.`;
  }
  return `${who} is ${ratioText(ratio)} ${ratio.verdict} than ${than} ${at} and ${share}.`;
}

/** Beside the subject of the sentence the row with the fewest KV heads; tables and charts have those between. */
function fewestText(base: BenchRow, others: readonly BenchRow[]): string[] {
  const row = others.at(-1);
  if (!row) return [];
  const ratio = ratioOf(base, row);
  const { kvHeads } = row.params;
  const name = kvHeads === 1 ? 'Multi-query, 1 KV head' : `Grouped-query, ${kvHeads} KV heads`;
  const times = ratio.verdict === 'alike' ? 'as fast, no clear difference' : ratio.verdict;
  return [`${name}: ${ratioText(ratio)} ${times}, ${shareWords(base.bytes.kvRead, row.bytes.kvRead)}.`];
}

/** What the bytes alone would give. */
function idealText(base: BenchRow, row: BenchRow, { faster }: Ratio): string {
  const ideal = base.bytes.kvRead / row.bytes.kvRead;
  const text = `${Number(formatSignificant(ideal, 2))}×`;
  if (row.params.prompt !== undefined)
    return 'A prompt’s time is arithmetic, which sharing heads does not save.';
  return faster >= 0.9 * ideal
    ? `That is what the bytes saved give: ${text} fewer.`
    : `${text} fewer bytes are read; the rest of a step does not shrink with them.`;
}

/** One row with a time: nothing to compare it with. */
function alone(row: BenchRow, family: readonly BenchRow[], faults: readonly string[], place: Place): Answer {
  const lost = lostBase(family, row, place);
  const headline = `${lost ?? ''}${lost ? capital(nameOf(row)) : `${here(place)}, ${nameOf(row)}`} takes ${timeText(row)} ${atText(row.params)}.`;
  const more =
    family.length === 1 ? ['Another number of KV heads beside it gives something to compare.'] : [];
  return { headline, more: [...more, ...faults, ...trustOf([row])], kind: 'none' };
}

/** That more KV heads than the base's do not fit here: the best argument for fewer. */
function lostBase(family: readonly BenchRow[], base: BenchRow, place: Place): string | undefined {
  const [first] = family;
  if (!first || first === base || !misfitOf(first.params, place.limits)) return undefined;
  return `${here(place)}, ${nameOf(first)} does not fit ${atText(first.params)}. `;
}

function untimedHeadline(family: readonly BenchRow[], place: Place): string {
  if (family.some(isWrong)) return `${here(place)}, a result came out wrong; wrong rows have no time.`;
  if (family.every(({ params }) => misfitOf(params, place.limits)))
    return `${here(place)}, none of these caches fits ${atText(family[0]!.params)}.`;
  return `${here(place)}, no row got a time ${atText(family[0]!.params)}.`;
}

/** Why a row has no time, and what would have one. */
function faultText(row: BenchRow, { limits }: Place): string {
  const misfit = misfitOf(row.params, limits);
  const name = capital(nameOf(row));
  if (misfit) return `${name} does not fit here: ${misfitReason(misfit)}. ${misfitCure(misfit)}`;
  if (isWrong(row)) return `${name} computed a wrong result here, and its time is not taken.`;
  if (row.warnings.includes('below-clock'))
    return `${name} is too short for this browser’s clock: a longer context has a time.`;
  return `${name} could not run.`;
}

/** What keeps times from being known well. */
function trustOf(rows: readonly BenchRow[]): string[] {
  const few = rows.some(({ time }) => time !== null && time.ci95 === null);
  const loose = rows.filter(({ warnings }) => warnings.includes('noisy'));
  const unchecked = rows.some(({ check }) => check === null);
  return [
    ...(few ? ['Too few samples to say how far off the times may be.'] : []),
    ...(loose.length > 0
      ? [`Times did not settle (${loose.map(shortName).join(', ')}): run it again on a quiet machine.`]
      : []),
    ...(unchecked ? ['No output was checked: nothing here is known to be right.'] : []),
  ];
}

/** "MHA", "GQA-8". */
function shortName({ params: { heads, kvHeads } }: BenchRow): string {
  if (kvHeads === heads) return 'MHA';
  return kvHeads === 1 ? 'MQA' : `GQA-${kvHeads}`;
}

/** "grouped-query attention with 8 KV heads". */
export function nameOf({ params }: Pick<BenchRow, 'params'>): string {
  const { heads, kvHeads } = params;
  if (kvHeads === heads) return 'multi-head attention';
  if (kvHeads === 1) return 'multi-query attention (1 KV head)';
  return `grouped-query attention with ${plural(kvHeads, 'KV head')}`;
}

function atText(params: RowParams): string {
  const { depth, batch, requests, prompt } = params;
  const extra = variationText(params);
  if (requests !== undefined) return `for the requests ${requests}${extra}`;
  const tokens = depth.toLocaleString('en-US');
  const each = prompt === undefined ? `at ${tokens} tokens` : `for a prompt of ${tokens} tokens`;
  return `${each}${batch > 1 ? ` in each of ${batch} sequences` : ''}${extra}`;
}

/** "1.23 ms (± 0.02)". */
export function timeText({ time, clockNs }: BenchRow): string {
  const { samplesNs, median } = time!;
  const half = halfWidth(samplesNs, clockNs);
  const [unit, size] = median >= 1e6 ? (['ms', 1e6] as const) : (['µs', 1e3] as const);
  const off = half === null ? '' : ` (± ${formatSignificant(half / size, 2)})`;
  return `${formatSignificant(median / size, 3)} ${unit}${off}`;
}

/** With a capital at its beginning. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

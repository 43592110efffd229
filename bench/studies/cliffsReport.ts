// cliffsReport.ts: jumps at planning thresholds as a table, worst first.
import { jumpOf, keyGrowth, loadName, MOST_JUMP, type Cliff, type LoadCliffs } from './cliffs.ts';
import { formatSignificant, markdownTable, plural, type Column } from '../text/format.ts';
import { median } from '../schema/stats.ts';

const COLUMNS: readonly Column[] = [
  { title: 'heads q/kv', align: 'left' },
  { title: 'keys', align: 'right' },
  { title: 'splits', align: 'right' },
  { title: 'dispatches', align: 'right' },
  { title: 'µs', align: 'right' },
  { title: 'ns per key', align: 'right' },
  { title: 'per key, after / before [95 %]', align: 'right' },
  { title: 'verdict', align: 'left' },
];

/** The table, what was timed of how much, and the verdict. */
export function cliffsReport(found: readonly LoadCliffs[]): string {
  const rows = worstFirst(found.flatMap(({ cliffs }) => cliffs));
  const parts = [
    ...(rows.length > 0 ? [markdownTable(COLUMNS, rows.map(cells))] : []),
    found.map(coverage).join('  \n'),
    verdict(rows),
  ];
  return parts.join('\n\n');
}

interface Row {
  readonly cliff: Cliff;
  readonly jump: ReturnType<typeof jumpOf>;
}

function worstFirst(cliffs: readonly Cliff[]): Row[] {
  const rows = cliffs.map((cliff) => ({ cliff, jump: jump(cliff) }));
  return rows.toSorted((a, b) => b.jump.jump - a.jump.jump);
}

function jump({ threshold, beforeNs, afterNs }: Cliff) {
  return jumpOf(beforeNs, afterNs, keyGrowth(threshold));
}

function cells({
  cliff: { threshold, beforeNs, afterNs },
  jump: { perKey, interval, verdict: word },
}: Row): string[] {
  const { load, length, next, before, after } = threshold;
  const [from, to] = [median(beforeNs), median(afterNs)];
  const keys = (lens: readonly number[]) => lens.reduce((sum, len) => sum + len, 0);
  const both = (a: string | number, b: string | number) => `${a} → ${b}`;
  const number = (value: number) => formatSignificant(value, 4);
  const [low, high] = interval.map((value) => value.toFixed(2));
  return [
    loadName(load),
    both(length, next),
    both(before.numSplits, after.numSplits),
    both(before.dispatches.length, after.dispatches.length),
    both(number(from / 1000), number(to / 1000)),
    both(number(from / keys(before.kvLens)), number(to / keys(after.kvLens))),
    `${perKey.toFixed(2)} [${low}, ${high}]`,
    word,
  ];
}

function coverage({ load, thresholds, cliffs }: LoadCliffs): string {
  const timed =
    cliffs.length === thresholds ? 'all timed' : `the steepest of each octave timed (${cliffs.length})`;
  return `${loadName(load)}: ${thresholds === 0 ? 'no threshold' : `${plural(thresholds, 'threshold')}, ${timed}`}`;
}

function verdict(rows: readonly Row[]): string {
  const count = (word: string) => rows.filter(({ jump: { verdict: found } }) => found === word).length;
  const limit = Math.round(100 * (MOST_JUMP - 1));
  return (
    `of ${plural(rows.length, 'threshold')} timed: ${count('cliff')} cliffs, ${count('smooth')} smooth, ${count('unclear')} lost in noise. ` +
    `A cliff is a jump of more than ${limit} %: time per key that rises, or time that falls although there are more keys.`
  );
}

/** Whether any threshold is a cliff. */
export function hasCliff(found: readonly LoadCliffs[]): boolean {
  return found.some(({ cliffs }) => cliffs.some((cliff) => jump(cliff).verdict === 'cliff'));
}

// warnings.ts: what a run has to say against its own times.
import { spread } from './sampling.ts';
import type { BenchRow, Warning } from './schema.ts';
import type { PassTimer } from './timer.ts';

/** What went on during the run that a reader of its times should know. */
export function runWarnings(timer: PassTimer, rows: readonly BenchRow[]): Warning[] {
  return [...hiddenWarnings(timer), ...timerWarnings(timer, rows), ...noiseWarnings(rows)];
}

function hiddenWarnings({ hidden }: PassTimer): Warning[] {
  if (hidden === 0) return [];
  return [{ code: 'hidden', text: `the tab was hidden during ${hidden} samples; they were taken again` }];
}

function timerWarnings(timer: PassTimer, rows: readonly BenchRow[]): Warning[] {
  if (timer.demoted) {
    const text =
      'the GPU timestamps said far less than the wall clock; all further times are by the wall clock';
    return [{ code: 'timer-broken', text }];
  }
  const spans = rows.flatMap((row) => (row.time ? [row.time.min * row.time.stepsPerSample] : []));
  const coarse = spans.some((span) => timer.stepNs > span / 100);
  if (!coarse) return [];
  const text = `timer step is ${timer.stepNs} ns, more than 1 % of the shortest sample; trust ratios, not single times`;
  return [{ code: 'timer-coarse', text }];
}

function noiseWarnings(rows: readonly BenchRow[]): Warning[] {
  const noisy = rows.filter((row) => row.warnings.includes('noisy'));
  if (noisy.length === 0) return [];
  const percent = Math.round(100 * Math.max(...noisy.map((row) => spread(row.time!.samplesNs))));
  const text = `${noisy.length} of ${rows.length} rows did not settle (a median known only to ±${percent} %): the machine is busy or slows down; give it more time or fewer other programs`;
  return [{ code: 'noisy', text }];
}

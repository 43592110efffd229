// warnings.ts: what a run has to say against its own times.
import type { GqaDevice, Tuning } from '../../src/index.ts';
import { tuningFaults } from '../../src/decode/tuningFaults.ts';
import { formatSignificant } from '../text/format.ts';
import { spread } from './sampling.ts';
import type { BenchRow, Warning } from '../schema/schema.ts';
import type { PassTimer } from './timer.ts';

/** What of a row its warnings come from. */
type Warned = Pick<BenchRow, 'time' | 'clockNs' | 'warnings'>;

/** What went on during the run that a reader of its times should know; `shares` of the ceiling that rows that have one read at. */
export function runWarnings(timer: Clocks, rows: readonly Warned[], shares: readonly number[]): Warning[] {
  return [
    ...hiddenWarnings(timer),
    ...timerWarnings(timer, rows),
    ...ratioWarnings(timer),
    ...ceilingWarnings(rows.length, shares),
    ...noiseWarnings(rows),
  ];
}

/** What of the tuning cannot be used on this device. */
export function tuningWarnings(
  { gpu, facts }: GqaDevice,
  { tuning, tuningSource = 'tuning' }: { readonly tuning?: Tuning; readonly tuningSource?: string },
): Warning[] {
  if (!tuning) return [];
  return tuningFaults(tuning, gpu.adapterInfo, facts).map((fault) => ({
    code: 'tuning',
    text: `${tuningSource}: ${fault}`,
  }));
}

/** What is asked of the timer. */
type Clocks = Pick<
  PassTimer,
  'hidden' | 'demoted' | 'source' | 'stepNs' | 'resolutionNs' | 'wallRatio' | 'wallLateNs'
>;

function hiddenWarnings({ hidden }: Clocks): Warning[] {
  if (hidden === 0) return [];
  return [{ code: 'hidden', text: `the tab was hidden during ${hidden} samples; they were taken again` }];
}

function timerWarnings(timer: Clocks, rows: readonly Warned[]): Warning[] {
  const warnings: Warning[] = [];
  if (timer.demoted) {
    const text =
      'the GPU timestamps contradicted the wall clock, which times everything since; the read ceiling and earlier rows may be by timestamps';
    warnings.push({ code: 'timer-broken', text });
  }
  const untimed = rows.filter((row) => row.warnings.includes('below-clock')).length;
  if (untimed > 0) {
    const text = `${untimed} of ${rows.length} rows have no time: their samples are too short for this clock`;
    warnings.push({ code: 'below-clock', text });
  }
  const spans = rows.flatMap((row) => (row.time ? [row.time.min * row.time.stepsPerSample] : []));
  const coarse = Math.max(0, ...spans.map((span) => timer.resolutionNs / span));
  if (coarse > COARSE) {
    const percent = formatSignificant(100 * coarse, 2);
    const clock = timer.source === 'wall' ? 'the wall clock may be off by' : 'a step of the timestamps is';
    const text = `${clock} ${ms(timer.resolutionNs)} ms, ${percent} % of the shortest sample`;
    warnings.push({ code: 'timer-coarse', text });
  }
  return warnings;
}

/** What a clock may be off, as a share of a sample, before a reader is told. */
const COARSE = 0.01;

/**
 * What wall time, less that of an empty submission, may be of timestamps' time: no less, but for the noise of the
 * subtraction; and no more than a busy host adds.
 */
const AGREE = { least: 0.9, most: 1.5 };

function ratioWarnings({ source, demoted, wallRatio, wallLateNs }: Clocks): Warning[] {
  if (source === 'wall' || demoted) return [];
  if (wallRatio === null) {
    const text = `the GPU timestamps are unchecked: all samples are too short for a wall clock that may be off by ${ms(wallLateNs)} ms`;
    return [{ code: 'timers-disagree', text }];
  }
  if (wallRatio >= AGREE.least && wallRatio <= AGREE.most) return [];
  const found = `wall clock / timer is ${formatSignificant(wallRatio, 3)}`;
  const text =
    wallRatio < AGREE.least
      ? `${found}, which cannot be: the GPU timestamps count more time than passed; one of the clocks is wrong, and so may be all times`
      : `${found}: the GPU timestamps leave out much of the time that passed; the host is busy, or they are wrong`;
  return [{ code: 'timers-disagree', text }];
}

/** A row may read a little faster than the ceiling by the noise of both. */
const ABOVE = 1.05;

function ceilingWarnings(rows: number, shares: readonly number[]): Warning[] {
  const above = shares.filter((share) => share > ABOVE);
  if (above.length === 0) return [];
  const percent = Math.round(100 * Math.max(...above));
  const text = `${above.length} of ${rows} rows read faster than the read ceiling (up to ${percent} %): it was measured too low, or a cache holds part of what they read`;
  return [{ code: 'above-ceiling', text }];
}

function noiseWarnings(rows: readonly Warned[]): Warning[] {
  const noisy = rows.filter((row) => row.warnings.includes('noisy'));
  if (noisy.length === 0) return [];
  const worst = Math.max(...noisy.map(({ time, clockNs }) => spread(time!.samplesNs, clockNs) ?? 0));
  const option = noisy.some(({ time }) => time!.stop === 'reps') ? 'reps' : 'max-time';
  const text =
    `${noisy.length} of ${rows.length} rows did not settle (a median known only to ±${Math.round(100 * worst)} %): the machine may be ` +
    `busy or slow down; close other programs, or raise ${option}`;
  return [{ code: 'noisy', text }];
}

function ms(ns: number): string {
  return formatSignificant(ns / 1e6, 3);
}

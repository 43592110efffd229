// efforts.ts: how much time a run is given, in three words: what each means in contexts and seconds. No DOM.
import { CEILING_MS, GroupTime } from '../../bench/run/expectedTime.ts';
import { rowGroups } from '../../bench/run/rows.ts';
import { STANDARD_DEPTHS } from '../../bench/run/standardRun.ts';
import { misfitOf, type Place } from './fits.ts';
import type { RunSettings } from './params.ts';

/** Depths on a GPU and on a software adapter, and the most seconds of samples of each; undefined as in the standard run. */
interface Effort {
  readonly depths: { readonly gpu: readonly number[]; readonly software: readonly number[] };
  readonly maxTimeS?: number;
}

export const EFFORTS = {
  quick: { depths: { gpu: [1024], software: [256] }, maxTimeS: 1 },
  standard: { depths: STANDARD_DEPTHS },
  thorough: {
    depths: { gpu: [1024, 4096, 16384, 65536], software: [256, 512, 1024, 2048] },
    maxTimeS: 20,
  },
} as const satisfies Record<string, Effort>;

export type EffortName = keyof typeof EFFORTS;

/** The parameters of an address that an effort stands for; undefined ones are as in the standard run. */
export function effortParams(name: EffortName, software: boolean): Record<string, string | undefined> {
  const { depths, maxTimeS }: Effort = EFFORTS[name];
  const isStandard = name === 'standard';
  return {
    depth: isStandard ? undefined : depths[software ? 'software' : 'gpu'].join(','),
    'max-time': maxTimeS === undefined ? undefined : `${maxTimeS}`,
  };
}

/** The effort that settings come to; undefined where contexts or times are others. */
export function effortOf({ depths, maxTimeMs }: RunSettings, software: boolean): EffortName | undefined {
  const names = Object.keys(EFFORTS) as EffortName[];
  return names.find((name) => {
    const effort: Effort = EFFORTS[name];
    const [usual, given] = [effort.depths[software ? 'software' : 'gpu'], depths];
    return (
      usual.join() === given.join() &&
      maxTimeMs === (effort.maxTimeS === undefined ? undefined : 1000 * effort.maxTimeS)
    );
  });
}

/** What a sample lasts at least, before its clock is known. */
const SAMPLE_NS = { gpu: 2e6, software: 2e7 };

/** How long a run is expected to take at most on a place, in ms. */
export function expectedMs(run: RunSettings, { software, limits }: Place): number {
  const sampleNs = SAMPLE_NS[software ? 'software' : 'gpu'];
  return rowGroups(run)
    .map((group) => new GroupTime(group, run, sampleNs, (row) => !misfitOf(row, limits)).ms)
    .reduce((sum, ms) => sum + ms, CEILING_MS);
}

/** "about 8 s", "about 2 min". */
export function durationText(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 9.5) return `about ${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 90) return `about ${5 * Math.round(seconds / 5)} s`;
  return `about ${Math.round(seconds / 60)} min`;
}

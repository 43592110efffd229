// untried.ts: what a check leaves out on a device, and why. No DOM.
import { CHECK_CASES } from '../../bench/check/cases.ts';
import type { CheckCase } from '../../bench/check/checkCase.ts';
import { STANDARD_KERNELS } from '../../bench/check/check.ts';
import { plural } from '../../bench/text/format.ts';
import { DECODE_KERNELS } from '../../src/decode/planContext.ts';
import type { DeviceFacts } from '../../src/index.ts';
import type { CheckRequest, PlannedRun, Untried } from './protocol.ts';

/** What a device is, as far as it decides what can run. */
export interface CheckedDevice {
  readonly facts: Pick<DeviceFacts, 'software' | 'subgroups'>;
  /** What a probe found wrong with its subgroups. */
  readonly probeFault?: string;
}

/** Kernels and cases of the grid that will not run, with the reason for each. */
export function untried(
  device: CheckedDevice,
  { kernels, choice }: CheckRequest,
  cases: readonly CheckCase[],
  runs: readonly PlannedRun[],
): Untried[] {
  const ran = new Set(runs.map((run) => run.case));
  const without = cases.filter(({ name }) => !ran.has(name));
  const left = CHECK_CASES.length - cases.length;
  return [
    ...DECODE_KERNELS.filter((kernel) => !runs.some((run) => run.kernel === kernel)).map((kernel) => ({
      what: `Kernel ${kernel}`,
      why: kernels.includes(kernel) ? whyNot(device, kernel) : notAsked(kernel),
    })),
    ...(without.length > 0
      ? [{ what: namesOf(without), why: 'this device takes another kernel for them than those chosen' }]
      : []),
    ...(cases.some(({ variants }) => variants === 'chosen')
      ? [
          {
            what: 'Some combinations of kernel and case',
            why: 'a software adapter compiles each shader for seconds: cases of other head dims, of features and of pages run by the one kernel that it would take',
          },
        ]
      : []),
    ...(left > 0
      ? [
          {
            what: `${left} of the grid’s ${plural(CHECK_CASES.length, 'case')}`,
            why: whyLeft(device, choice),
          },
        ]
      : []),
  ];
}

function whyNot({ facts, probeFault }: CheckedDevice, kernel: string): string {
  if (kernel !== 'registers' || facts.subgroups) return 'no case chosen would run by it on this device';
  return probeFault === undefined
    ? 'it needs subgroups, and this device offers none to pages'
    : `the subgroups of this device are not as it needs them: ${probeFault}`;
}

function notAsked(kernel: string): string {
  const usual = STANDARD_KERNELS.some((name) => name === kernel);
  return usual
    ? 'not chosen'
    : 'not chosen; it is made for prompts, and takes decoding steps only when asked';
}

function whyLeft({ facts }: CheckedDevice, { quick, full, case: text }: CheckRequest['choice']): string {
  if (text) return `only names that contain “${text}” were chosen`;
  if (quick) return 'a quick look takes every fifth of each element type';
  return facts.software && !full
    ? 'a software adapter compiles each shader for seconds; “the whole grid” takes them too'
    : 'not chosen';
}

const MOST_NAMED = 3;

function namesOf(cases: readonly CheckCase[]): string {
  const names = cases.slice(0, MOST_NAMED).map(({ name }) => name);
  const more = cases.length - names.length;
  return names.join(', ') + (more > 0 ? ` and ${more} more` : '');
}

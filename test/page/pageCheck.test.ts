// pageCheck.test.ts: what the page says of a check: the answer, what was left out and why, the time left, its settings in the address.
import { describe, expect, it } from 'vitest';
import { CHECK_CASES, casesFor, quickCases, quickFirst, SOFTWARE_CASES } from '../../bench/check/cases.ts';
import { planChecks, STANDARD_KERNELS, type CheckRow } from '../../bench/check/check.ts';
import {
  checkCheckParam,
  readCheckSettings,
  requestOf,
  withCheckSettings,
} from '../../page/check/settings.ts';
import { untried } from '../../page/check/untried.ts';
import {
  caseText,
  faultSentence,
  findingOf,
  headline,
  scopeText,
  shareText,
  timeLeft,
  type Checked,
} from '../../page/check/words.ts';
import { GPU_FACTS, SOFTWARE_FACTS } from '../support/deviceFacts.ts';

const VERDICT = {
  pass: true,
  maxAbsErr: 1e-7,
  bound: 1e-6,
  lseAbsErr: 0,
  lseBound: 1e-6,
  worst: 'at [b, h, i, d] = [0, 1, 0, 5]: expected 1, got 2',
};

const run = (name: string, kernel: CheckRow['kernel'] = 'plain') => ({ case: name, kernel });
const right = (name: string): CheckRow => ({ ...run(name), elements: 'f16', verdict: VERDICT });
const wrong = (name: string): CheckRow => ({
  ...right(name),
  verdict: { ...VERDICT, pass: false, maxAbsErr: 1.5 },
});
const failed = (name: string): CheckRow => ({ ...run(name), elements: 'f16', error: 'line 7: no' });

function checked(rows: readonly CheckRow[], more: Partial<Checked> = {}): Checked {
  return { runs: rows.map((row) => run(row.case)), rows, appends: [], ...more };
}

describe('the answer of a check', () => {
  const said = (of: Checked) => [headline(of), findingOf(of)];

  it('counts cases, not runs: one is wrong when it is by any kernel', () => {
    expect(said(checked([right('a'), right('a'), right('b')]))).toEqual([
      'All 2 cases agree with float64 on this device.',
      'good',
    ]);
    expect(said(checked([right('a'), wrong('a'), right('b')]))).toEqual([
      '1 of 2 cases is wrong on this device.',
      'bad',
    ]);
    expect(said(checked([wrong('a'), wrong('b')]))).toEqual(['All 2 cases are wrong on this device.', 'bad']);
    expect(said(checked([wrong('a')]))).toEqual(['1 of 1 case is wrong on this device.', 'bad']);
    expect(said(checked([right('a')]))).toEqual(['The case agrees with float64 on this device.', 'good']);
  });

  it('keeps what is wrong apart from what gave no result', () => {
    expect(said(checked([wrong('a'), failed('a'), failed('b'), right('c')]))).toEqual([
      '1 of 3 cases is wrong on this device. 1 of 3 cases gave no result on this device.',
      'bad',
    ]);
  });

  it('of a check that was cut short claims nothing of the rest, nor of the case that was under way', () => {
    const runs = [run('a'), run('b'), run('b'), run('c')];
    expect(said(checked([right('a'), right('b')], { runs }))).toEqual([
      '1 of 3 cases was run and agrees with float64; nothing is known of the rest.',
      'open',
    ]);
    expect(said(checked([wrong('a')], { runs }))).toEqual([
      '1 of 3 cases is wrong on this device. Only 1 of 3 cases was run.',
      'bad',
    ]);
    expect(said(checked([], { runs }))).toEqual(['No case was run: nothing is known.', 'open']);
  });

  it('is bad when appends are stored wrong, and says of which types', () => {
    const appends = [{ type: 'f16' }, { type: 'int8', wrong: '3 bytes' }] as const;
    expect(said(checked([right('a')], { appends }))).toEqual([
      'Appends to caches of int8 are stored wrong.',
      'bad',
    ]);
    expect(scopeText(checked([right('a')], { appends }), 'X', 1)).not.toContain('to the bit');
    expect(scopeText(checked([right('a')], { appends: appends.slice(0, 1) }), 'X', 1)).toBe(
      '1 run, each case by every kernel chosen that it runs here, on X, in 1.0 s. Appends to caches of f16 are stored as on the host, to the bit.',
    );
  });

  it('says of a wrong run which of its errors are beyond their bounds', () => {
    expect(faultSentence(wrong('a'))).toBe(
      'outputs off by 1.5, allowed 1.0e-6. Worst output at [b, h, i, d] = [0, 1, 0, 5]: expected 1, got 2.',
    );
    const notFinite = { ...wrong('a'), verdict: { ...VERDICT, pass: false, notFinite: 'a value is NaN' } };
    expect(faultSentence(notFinite)).toMatch(/^a value is NaN\. /);
    expect(faultSentence(failed('a'))).toBe('no result. line 7: no');
    expect([0.355, 9.9, 1.4e6, Infinity].map(shareText)).toEqual([
      '36 %',
      '990 %',
      '1.4e6 times',
      'beyond it',
    ]);
  });
});

it('every case is said in words that differ from those of all others, but for where rows lie', () => {
  expect(caseText(CHECK_CASES[0]!)).toBe(
    '257 tokens, 8 query heads on 4 KV heads, head dim 64, cache of f16',
  );
  const dense = CHECK_CASES.filter(({ places }) => !places);
  expect(new Set(dense.map(caseText)).size).toBe(dense.length);
});

it('tells the time left once a few runs are done', () => {
  expect([timeLeft(3, 100, 3000), timeLeft(100, 100, 9)]).toEqual(['', '']);
  expect(timeLeft(10, 50, 10_000)).toBe('about 40 s left');
  expect(timeLeft(10, 500, 10_000)).toBe('about 8 min left');
});

describe('the order', () => {
  it('looks at every type before it goes into depth, and leaves out nothing', () => {
    const ordered = quickFirst(CHECK_CASES);
    const quick = quickCases(CHECK_CASES);
    expect(ordered.slice(0, quick.length)).toEqual(quick);
    expect(ordered[0]).toBe(CHECK_CASES[0]);
    expect(ordered.toSorted(byName)).toEqual(CHECK_CASES.toSorted(byName));
  });

  const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
});

describe('what was left out', () => {
  const list = (facts: typeof GPU_FACTS, query: string, probeFault?: string) => {
    const request = requestOf(readCheckSettings(query));
    const cases = casesFor(facts.software, request.choice);
    const runs = planChecks(facts, { cases, kernels: request.kernels, facts }).map((each) => ({
      case: each.case.name,
      kernel: each.kernel,
    }));
    return untried({ facts, ...(probeFault && { probeFault }) }, request, cases, runs);
  };

  it('on a GPU with subgroups is the kernel for prompts alone', () => {
    expect(list(GPU_FACTS, '').map(({ what }) => what)).toEqual(['Kernel prefill']);
    expect(list(GPU_FACTS, '?check-kernel=registers,tiles,prefill,plain')).toEqual([]);
  });

  it('names what a device without subgroups cannot run, and what is wrong with them', () => {
    const without = { ...GPU_FACTS, subgroups: false };
    expect(list(without, '')[0]).toEqual({
      what: 'Kernel registers',
      why: 'it needs subgroups, and this device offers none to pages',
    });
    expect(list(without, '', 'lanes are out of order')[0]!.why).toContain('lanes are out of order');
  });

  it('on a software adapter counts the cases, and names those of another kernel', () => {
    const left = CHECK_CASES.length - SOFTWARE_CASES.length;
    expect(list(SOFTWARE_FACTS, '').at(-1)!.what).toBe(`${left} of the grid’s ${CHECK_CASES.length} cases`);
    expect(list(SOFTWARE_FACTS, '?check-full').some(({ what }) => what.includes('grid'))).toBe(false);
    const tiles = list(SOFTWARE_FACTS, '?check-kernel=tiles');
    expect(tiles.find(({ why }) => why.startsWith('this device takes another kernel'))!.what).toMatch(
      /^h\d+\S+, \S+, \S+ and \d+ more$/,
    );
  });

  it('says that a filter or a quick look was chosen', () => {
    expect(list(GPU_FACTS, '?check-case=int8').at(-1)!.why).toBe(
      'only names that contain “int8” were chosen',
    );
    expect(list(GPU_FACTS, '?check-quick').at(-1)!.why).toContain('every fifth');
  });
});

describe('settings in the address', () => {
  it('go there and back, and leave other parameters alone', () => {
    const settings = { kernels: ['tiles', 'plain'], scope: 'quick', text: 'int8' } as const;
    const query = withCheckSettings('?depth=64&run', settings);
    expect(query).toBe('?depth=64&run&check-kernel=tiles,plain&check-quick&check-case=int8');
    expect(readCheckSettings(query)).toEqual({ ...settings, errors: [] });
    const standard = { kernels: STANDARD_KERNELS, scope: 'standard', text: '' } as const;
    expect(withCheckSettings(query, standard)).toBe('?depth=64&run');
    expect(readCheckSettings('')).toEqual({ ...standard, errors: [] });
  });

  it.each([
    ['check-kernel', 'fast', 'must be of registers, tiles, prefill, plain, got "fast"'],
    ['check-quick', 'maybe', 'takes no value, 1 or 0, got "maybe"'],
  ])('refuse %s=%s', (name, value, message) => {
    expect(() => checkCheckParam(name, value)).toThrow(message);
    expect(readCheckSettings(`?${name}=${value}`).errors).toEqual([`${name} ${message}`]);
  });

  it('refuse a quick look at the whole', () => {
    expect(readCheckSettings('?check-quick&check-full').errors).toEqual([
      'check-quick and check-full exclude each other',
    ]);
  });
});

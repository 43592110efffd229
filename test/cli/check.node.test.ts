// check.node.test.ts: what `gqa check` makes of right, wrong and broken kernels.
import { Command, CommanderError } from 'commander';
import { describe, expect, test } from 'vitest';
import { SOFTWARE_CASES } from '../../bench/check/cases.ts';
import { checkCase, type CheckCase } from '../../bench/check/checkCase.ts';
import { planChecks, runChecks, type CheckOptions, type CheckRow } from '../../bench/check/check.ts';
import type { runProblem } from '../../bench/check/runProblem.ts';
import { checkDevice, registerCheck } from '../../cli/check.ts';
import { checkText, groupChecks } from '../../bench/report/checkReport.ts';
import { openNode } from '../../src/node/command/openNode.ts';
import { DestroyedError, DeviceLostError, ShaderError } from '../../src/device/errors.ts';
import type { GqaDevice } from '../../src/device/gqaDevice.ts';
import type { DeviceFacts } from '../../src/device/deviceFacts.ts';
import { attention } from '../../src/reference/attention.ts';
import { SOFTWARE_FACTS } from '../support/deviceFacts.ts';

const SMALL = { numQHeads: 8, numKvHeads: 2, headDim: 16, kvLens: [9] };
const TINY: readonly CheckCase[] = [
  checkCase(SMALL),
  checkCase({ ...SMALL, batch: 2, kvLens: [0, 65], kType: 'f16' }),
];

type Run = typeof runProblem;

/** A kernel without a GPU that is right: float64 results rounded to f32, the floor where nothing is attended to. */
const right: Run = async (_, problem) => {
  const { o, lse } = attention(problem);
  return { o: Float32Array.from(o), lse: Float32Array.from(lse, (x) => (x === -Infinity ? -3e38 : x)) };
};

/** As `right`, but plain attention is off by a little in one element. */
const wrong: Run = async (device, problem, options) => {
  const result = await right(device, problem, options);
  if (options?.kernel === 'plain') result.o[3 * 16 + 5]! += 1e-4;
  return result;
};

function standIn(facts: DeviceFacts = SOFTWARE_FACTS, destroy = () => {}): GqaDevice {
  return { facts, destroy } as Partial<GqaDevice> as GqaDevice;
}

function opened(device = standIn()) {
  const found = {
    gpu: {} as GPU,
    webgpu: 'dawn',
    origin: 'gpu',
    adapterName: 'Card',
    software: false,
    notes: [],
  } as const;
  return { found, device };
}

async function rowsOf(options: CheckOptions, device = standIn()): Promise<CheckRow[]> {
  const rows: CheckRow[] = [];
  for await (const row of runChecks(device, options)) rows.push(row);
  return rows;
}

describe('runChecks', () => {
  test('the kernels of this device pass', async () => {
    const { device } = await openNode({}, () => undefined);
    try {
      const rows = await rowsOf({ cases: TINY }, device);
      expect(rows).toHaveLength(planChecks(device.facts, { cases: TINY }).length);
      expect(rows.length).toBeGreaterThanOrEqual(4);
      expect(rows.map(({ verdict }) => verdict?.pass)).toEqual(rows.map(() => true));
      const FIRST = device.facts.subgroups ? 'registers' : 'tiles';
      expect(rows[0]).toMatchObject({ case: 'h8_kv2_d16_t9_f32', kernel: FIRST, elements: 'f32' });
      expect(rows.at(-1)).toMatchObject({
        case: 'b2_h8_kv2_d16_t0-65_f16',
        kernel: 'plain',
        elements: 'f16',
      });
      expect(rows.at(-1)).not.toHaveProperty('variant');
    } finally {
      device.destroy();
    }
  });

  test('each run gets its problem, kernel and variant', async () => {
    const seen: unknown[] = [];
    const run: Run = (device, problem, options) => {
      seen.push([problem.kvLens, problem.kType, options?.kernel, options?.variant?.template]);
      return right(device, problem, options);
    };
    expect((await rowsOf({ cases: TINY, run })).every(({ verdict }) => verdict?.pass)).toBe(true);
    expect(seen).toEqual([
      [[9], 'f32', 'registers', 'registers'],
      [[9], 'f32', 'tiles', 'tiles'],
      [[9], 'f32', 'plain', undefined],
      [[0, 65], 'f16', 'registers', 'registers'],
      [[0, 65], 'f16', 'tiles', 'tiles'],
      [[0, 65], 'f16', 'plain', undefined],
    ]);
  });

  test.each<[string, Partial<Record<'o' | 'lse', number>>]>([
    ['o off by 1e-4', { o: 1e-4 }],
    ['o NaN', { o: NaN }],
    ['lse off by 1e-4', { lse: 1e-4 }],
    ['lse infinite', { lse: Infinity }],
  ])('%s fails', async (_, { o = 0, lse = 0 }) => {
    const run: Run = async (...args) => {
      const result = await right(...args);
      result.o[7]! += o;
      result.lse[2]! += lse;
      return result;
    };
    const rows = await rowsOf({ cases: TINY.slice(0, 1), kernels: ['plain'], run });
    expect(rows.map(({ verdict }) => verdict?.pass)).toEqual([false]);
  });

  test('a device whose subgroups turned out to be of no use runs no kernel on them', async () => {
    const facts = { ...SOFTWARE_FACTS, subgroups: false };
    const rows = await rowsOf({ cases: TINY.slice(0, 1), run: right, facts });
    expect(rows.map(({ kernel }) => kernel)).toEqual(['tiles', 'plain']);
  });

  test('a kernel that does not compile is a failed row, and the next one runs', async () => {
    const run: Run = async (...args) => {
      if (args[2]?.kernel === 'plain') return right(...args);
      throw new ShaderError('decode_tiles', 'line 7:1: no such thing');
    };
    const rows = await rowsOf(
      { cases: TINY.slice(0, 1), run },
      standIn({ ...SOFTWARE_FACTS, subgroups: false }),
    );
    expect(rows.map(({ error, verdict }) => error ?? verdict?.pass)).toEqual([
      'decode_tiles: line 7:1: no such thing',
      true,
    ]);
  });

  test.each([
    new DeviceLostError('unknown', 'gone'),
    new DestroyedError('the device'),
    new TypeError('our own mistake'),
  ])('ends with %s', async (error) => {
    await expect(rowsOf({ cases: TINY, run: () => Promise.reject(error) })).rejects.toBe(error);
  });

  test('an abort ends it between two runs', async () => {
    const controller = new AbortController();
    let runs = 0;
    const run: Run = (...args) => {
      if (++runs === 2) controller.abort(new Error('enough'));
      return right(...args);
    };
    await expect(rowsOf({ cases: TINY, run, signal: controller.signal })).rejects.toThrow('enough');
    expect(runs).toBe(2);
  });
});

const verdict = {
  pass: true,
  maxAbsErr: 1e-7,
  bound: 1e-6,
  lseAbsErr: 0,
  lseBound: 1e-6,
  worst: 'somewhere',
};
const plain = { kernel: 'plain', elements: 'f16' } as const;
const variant = {
  template: 'registers',
  wgSize: 128,
  lanes: 16,
  tokens: 2,
  teamRows: 4,
  blocks: 2,
  q: 'registers',
  code: 'gpu',
} as const;

describe('report', () => {
  test('the worst is nearest to its own bound, of o or of lse', () => {
    const rows: CheckRow[] = [
      { ...plain, case: 'a', verdict: { ...verdict, maxAbsErr: 4e-6, bound: 1e-5 } },
      { ...plain, case: 'b', verdict: { ...verdict, lseAbsErr: 5e-7 } },
      { ...plain, case: 'c', verdict },
      { ...plain, case: 'd', elements: 'f32', verdict: { ...verdict, maxAbsErr: 0, bound: 0, lseBound: 0 } },
    ];
    expect(groupChecks(rows)).toEqual([
      { ...plain, runs: 3, failed: 0, worst: { of: 'lse', error: 5e-7, bound: 1e-6, case: 'b' } },
      {
        kernel: 'plain',
        elements: 'f32',
        runs: 1,
        failed: 0,
        worst: { of: 'o', error: 0, bound: 0, case: 'd' },
      },
    ]);
  });

  test('a result that is not finite is the worst, and said', () => {
    const notFinite = '1 of 64 values of o are not finite, the first is NaN at [b, h, i, d] = [0, 0, 0, 3]';
    const rows: CheckRow[] = [
      { ...plain, case: 'a', verdict: { ...verdict, pass: false, maxAbsErr: 5 } },
      { ...plain, case: 'b', verdict: { ...verdict, pass: false, maxAbsErr: Infinity, notFinite } },
      { ...plain, case: 'c', verdict: { ...verdict, pass: false, bound: Infinity } },
    ];
    expect(groupChecks(rows)[0]!.worst).toMatchObject({ error: Infinity, case: 'b' });
    expect(checkText(rows)).toContain(`worst of o at somewhere; ${notFinite}\n`);
  });

  test('as text: the table, the verdict, and failed runs in detail', () => {
    const bad = {
      ...verdict,
      pass: false,
      maxAbsErr: 2e-6,
      worst: '[b, h, i, d] = [0, 1, 0, 5]: expected 1, got 2',
    };
    const rows: CheckRow[] = [
      { case: 'a_f16', kernel: 'registers', elements: 'f16', variant, verdict: bad },
      { case: 'a_f16', ...plain, verdict },
      { case: 'b_f32', kernel: 'plain', elements: 'f32', error: 'plain_av: line 1: no' },
    ];
    expect(checkText(rows)).toBe(`\
| kernel    | K/V | runs | failed | worst error |  bound | of bound | where      |
| --------- | --- | ---: | -----: | ----------: | -----: | -------: | ---------- |
| registers | f16 |    1 |      1 |      2.0e-6 | 1.0e-6 |    200 % | o of a_f16 |
| plain     | f16 |    1 |      0 |      1.0e-7 | 1.0e-6 |     10 % | o of a_f16 |
| plain     | f32 |    1 |      1 |             |        |          | no result  |

FAILED: 2 of 3 runs of 2 cases
  a_f16, registers wg128 lanes16 tokens2 rows4x2 gpu: o error 2.0e-6, bound 1.0e-6; \
lse error 0.0e+0, bound 1.0e-6; worst of o at [b, h, i, d] = [0, 1, 0, 5]: expected 1, got 2
  b_f32, plain: plain_av: line 1: no`);
    expect(checkText(rows.slice(1, 2)).split('\n').at(-1)).toBe(
      'ok: 1 run of 1 case, all within the bounds; not tried: f32, bf16, int8, int4',
    );
  });

  test('of a check that was cut short says neither ok nor that all is within the bounds', () => {
    const row: CheckRow = { case: 'a_f16', ...plain, verdict };
    expect(checkText([row], 3).split('\n').at(-1)).toBe(
      'no verdict: 2 runs left out; 1 run of 1 case, all within the bounds; not tried: f32, bf16, int8, int4',
    );
    const failed = { ...row, verdict: { ...verdict, pass: false } };
    expect(checkText([row, failed], 3)).toContain('\nFAILED: 1 of 2 runs of 1 case\n');
  });

  test('of every element type says no type that was not tried', () => {
    const rows = ['f32', 'f16', 'bf16-int8', 'int4'].map((elements): CheckRow => ({
      case: elements,
      kernel: 'plain',
      elements,
      verdict,
    }));
    expect(checkText(rows).split('\n').at(-1)).toBe('ok: 4 runs of 4 cases, all within the bounds');
  });
});

describe('checkDevice', () => {
  test('right kernels: exit code 0, and the report says what was covered', async () => {
    const { text, exitCode } = await checkDevice(opened(), { cases: TINY, run: right }, 'md');
    expect(exitCode).toBe(0);
    expect(text).toMatch(
      /^gqa \S+ check on "Card" \(\w+ \S+, dawn \(webgpu \S+\)\), 2 of the grid's 182 cases, \d+\.\d s\n\n\| kernel/,
    );
    expect(text).not.toContain('--full');
    expect(text).toContain('\nok: 6 runs of 2 cases, all within the bounds');
    const { text: all } = await checkDevice(
      opened(),
      { cases: SOFTWARE_CASES.slice(0, 3), run: right },
      'md',
    );
    expect(all).not.toContain('(--full for the rest)');
    const chosen = SOFTWARE_CASES.filter(({ variants }) => variants);
    const { text: fewer } = await checkDevice(opened(), { cases: chosen.slice(0, 1), run: right }, 'md');
    expect(fewer).toContain('(--full for the rest)');
  });

  test('no run at all is an error, not an ok, and the device is destroyed', async () => {
    let destroyed = 0;
    const device = standIn({ ...SOFTWARE_FACTS, subgroups: false }, () => void destroyed++);
    const options = { cases: TINY, kernels: ['registers'] as const, run: right };
    await expect(checkDevice(opened(device), options, 'md')).rejects.toThrow(
      'check: none of these cases runs on this device by registers',
    );
    expect(destroyed).toBe(1);
  });

  test('a wrong kernel: exit code 1, with the case and the place', async () => {
    const { text, exitCode } = await checkDevice(opened(), { cases: TINY.slice(0, 1), run: wrong }, 'md');
    expect(exitCode).toBe(1);
    expect(text).toContain(
      '\nFAILED: 1 of 3 runs of 1 case\n  h8_kv2_d16_t9_f32, plain: o error 1.0e-4, bound ',
    );
    expect(text).toContain('worst of o at [b, h, i, d] = [0, 3, 0, 5]: expected ');
  });

  test('as JSON', async () => {
    const { text, exitCode } = await checkDevice(opened(), { cases: TINY.slice(0, 1), run: wrong }, 'json');
    expect(exitCode).toBe(1);
    expect(JSON.parse(text)).toMatchObject({
      adapter: 'Card',
      software: false,
      groups: [
        { failed: 0 },
        { failed: 0 },
        { kernel: 'plain', elements: 'f32', runs: 1, failed: 1, worst: { of: 'o' } },
      ],
      rows: [{}, {}, { case: 'h8_kv2_d16_t9_f32', kernel: 'plain', verdict: { pass: false } }],
    });
  });

  test('appends: what is wrong of them is said, with exit code 1', async () => {
    const cases = { cases: TINY.slice(0, 1), run: right };
    const good = [{ type: 'f32' }, { type: 'int8' }] as const;
    const { text, exitCode } = await checkDevice(opened(), cases, 'md', good);
    expect(text).toMatch(/\nok: appends to caches of f32, int8 are stored as on the host, to the bit$/);
    expect(exitCode).toBe(0);
    const bad = await checkDevice(opened(), cases, 'md', [...good, { type: 'f16', wrong: 'a byte' }]);
    expect(bad.text).toMatch(/\nFAILED: appends to caches of 1 of 3 element types\n  f16: a byte$/);
    expect(bad.exitCode).toBe(1);
    const json = await checkDevice(opened(), cases, 'json', good);
    expect(JSON.parse(json.text)).toMatchObject({ appends: good });
  });

  test('destroys the device, also when it fails', async () => {
    let destroyed = 0;
    const device = standIn(SOFTWARE_FACTS, () => void destroyed++);
    await checkDevice(opened(device), { cases: TINY, run: right }, 'md');
    expect(destroyed).toBe(1);
    const lost = () => Promise.reject(new DeviceLostError('unknown', 'gone'));
    await expect(checkDevice(opened(device), { cases: TINY, run: lost }, 'md')).rejects.toThrow('gone');
    expect(destroyed).toBe(2);
  });
});

describe('usage errors', () => {
  test.each([
    [['--kernel', 'plain,flash'], 'expected registers, tiles, prefill, plain, got "flash"'],
    [['-o', 'csv'], "argument 'csv' is invalid. Allowed choices are md, json."],
    [['--quick', '--full'], "option '--full' cannot be used with option '--quick'"],
    [['--qick'], "unknown option '--qick'"],
    [['h8'], 'too many arguments'],
  ])('%j', async (args, message) => {
    const program = new Command('gqa').exitOverride().configureOutput({ writeErr: () => undefined });
    registerCheck(program);
    const error: unknown = await program
      .parseAsync(['check', ...args], { from: 'user' })
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(CommanderError);
    expect((error as CommanderError).message).toContain(message);
    expect((error as CommanderError).exitCode).toBe(1);
  });
});

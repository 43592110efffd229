// readResult.test.ts: which files are results, and what is said of those that are none.
import { describe, expect, test } from 'vitest';
import { ofThisSuite, parsePeerResult, parseResult } from '../../../bench/schema/readResult.ts';
import { PEER_SCHEMA, SUITE } from '../../../bench/schema/version.ts';
import { GqaError } from '../../../src/index.ts';
import { NOT_RUN, result, row, steady, WRONG } from '../../support/benchResult.ts';

const good = result([row(32, 1024, steady(1000)), row(8, 1024, [], WRONG), row(1, 1024, [], NOT_RUN)]);

const FIRST = 'h32_kv32_d128_t1024_f16';

/** The text of the good result with one field changed. */
function changed(path: string, value: unknown): string {
  const copy = structuredClone(good) as unknown as Record<string, unknown>;
  const names = path.split('.');
  let at = copy;
  for (const name of names.slice(0, -1)) at = at[name] as Record<string, unknown>;
  at[names.at(-1)!] = value;
  return JSON.stringify(copy);
}

/** The message of the error that reading ends in. */
function refusal(text: string): string {
  try {
    parseResult(text, 'run.json');
  } catch (error) {
    expect(error).toBeInstanceOf(GqaError);
    return (error as Error).message;
  }
  return '';
}

describe('parseResult', () => {
  test('gives back what was written, wrong rows and rows that could not run included', () => {
    expect(parseResult(JSON.stringify(good), 'run.json')).toEqual(good);
  });

  test('reads older suites, whose context and rows have less', () => {
    const { host: _, coldBytes: __, ...context } = good.context;
    const results = good.results.map(({ params: { cache: ___, ...params }, time, ...rest }) => {
      const { firstNs: ____, ...times } = time ?? {};
      return { ...rest, params, time: time && times };
    });
    const old = { ...good, suite: '1', context, results };
    expect(parseResult(JSON.stringify(old), 'run.json')).toEqual(old);
  });

  test('reads what later versions add: warnings of new codes, fields of other names; and errors that are infinite', () => {
    const [first, ...others] = good.results;
    const later = {
      ...good,
      results: [{ ...first, warnings: ['thermal'], joules: 3 }, ...others],
      context: { ...good.context, warnings: [{ code: 'thermal', text: 'hot' }] },
    };
    expect(parseResult(JSON.stringify(later), 'run.json')).toEqual(later);
    for (const name of ['maxAbsErr', 'bound'] as const) {
      const infinite = changed(`results.1.check.${name}`, Infinity);
      expect(parseResult(infinite, 'run.json').results[1]!.check![name]).toBeNull();
    }
  });

  test.each([
    ['', 'run.json: expected one result as JSON'],
    ['{"a":1}\n{"a":2}', 'run.json: expected one result as JSON (gqa bench -o json or --export-json): '],
    ['[]', 'run.json: schema: expected "gqa-bench/1", got nothing'],
    ['null', 'run.json: expected an object, got null'],
    [changed('schema', 'gqa-peers/1'), 'run.json: schema: expected "gqa-bench/1", got "gqa-peers/1"'],
    [changed('suite', 2), 'run.json: suite: expected a string, got 2'],
    [changed('context', []), 'run.json: context.date: expected a string, got nothing'],
    [
      changed('context.ceiling.readGBps', 0),
      'run.json: context.ceiling.readGBps: expected a number above 0, got 0',
    ],
    [
      changed('context.adapter.software', 'no'),
      'run.json: context.adapter.software: expected true or false, got "no"',
    ],
    [changed('results', {}), 'run.json: results: expected a list, got {}'],
    [changed('results.1', null), 'run.json: results[1]: expected an object, got null'],
    [changed('results.1.id', undefined), 'run.json: results[1]: id: expected a string, got nothing'],
    [
      changed('results.0.time', 7),
      `run.json: results[0] (${FIRST}): time: expected an object or null, got 7`,
    ],
    [
      changed('results.0.time', undefined),
      `run.json: results[0] (${FIRST}): time: expected an object or null, got nothing`,
    ],
    [
      changed('results.0.params.kvHeads', undefined),
      `run.json: results[0] (${FIRST}): params.kvHeads: expected a number above 0, got nothing`,
    ],
    [
      changed('results.0.params.cache', 'warm'),
      `run.json: results[0] (${FIRST}): params.cache: expected "cold" or "hot", got "warm"`,
    ],
    [
      changed('results.0.time.ci95', [1]),
      `run.json: results[0] (${FIRST}): time.ci95[1]: expected a number, got nothing`,
    ],
    [
      changed('context.warnings', [{ code: 'noisy' }]),
      'run.json: context.warnings[0].text: expected a string, got nothing',
    ],
    [
      changed('context.timer.wallRatio', '1'),
      'run.json: context.timer.wallRatio: expected a number or null, got "1"',
    ],
    [
      changed('results.0.time.samplesNs', []),
      `run.json: results[0] (${FIRST}): time.samplesNs: expected a list of times above 0, got []`,
    ],
    [
      changed('results.0.time.samplesNs', [1, -1]),
      `run.json: results[0] (${FIRST}): time.samplesNs[1]: expected a number above 0, got -1`,
    ],
    [
      changed('results.1.check.pass', null),
      'run.json: results[1] (h32_kv8_d128_t1024_f16): check.pass: expected true or false, got null',
    ],
  ])('%.60s', (text, message) => {
    expect(refusal(text)).toContain(message);
  });

  test('shows no more of a bad value than a line holds', () => {
    const message = refusal(changed('results', 'x'.repeat(1000)));
    expect(message).toMatch(/got "x{59}…$/);
  });
});

describe('ofThisSuite', () => {
  test('lets this suite through and names both of another', () => {
    expect(ofThisSuite(good, 'run.json')).toBe(good);
    expect(() => ofThisSuite({ ...good, suite: '1' }, 'run.json')).toThrow(
      `run.json: suite: expected "${SUITE}", got "1"`,
    );
    const { coldBytes: _, ...context } = good.context;
    expect(() => ofThisSuite({ ...good, context }, 'run.json')).toThrow(
      'run.json: context.coldBytes: expected a number, got nothing',
    );
  });
});

describe('parsePeerResult', () => {
  const context = { ...good.context, packages: {}, places: [], timer: 'wall' };
  const peers = { schema: PEER_SCHEMA, suite: SUITE, context, results: [] };

  test('reads a run of several engines, and nothing else', () => {
    expect(parsePeerResult(JSON.stringify(peers), 'peers.json')).toEqual(peers);
    expect(() => parsePeerResult(JSON.stringify(good), 'peers.json')).toThrow(
      `peers.json: schema: expected "${PEER_SCHEMA}", got "${good.schema}"`,
    );
    expect(() => parsePeerResult(JSON.stringify({ ...peers, suite: '1' }), 'peers.json')).toThrow(
      `peers.json: suite: expected "${SUITE}", got "1"`,
    );
    const places = [{ name: 'node', runtime: { kind: 'node' } }];
    expect(() =>
      parsePeerResult(JSON.stringify({ ...peers, context: { ...context, places } }), 'peers.json'),
    ).toThrow('peers.json: context.places[0].runtime.version: expected a string, got nothing');
  });
});

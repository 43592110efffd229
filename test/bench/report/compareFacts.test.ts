// compareFacts.test.ts: every condition that two runs can differ in, one at a time.
import { describe, expect, test } from 'vitest';
import { contextFacts, rowFacts } from '../../../bench/report/compareFacts.ts';
import type { BenchContext, BenchRow, RowParams } from '../../../bench/schema/schema.ts';
import { SUITE } from '../../../bench/schema/version.ts';
import { result, row, steady, WRONG } from '../../support/benchResult.ts';

const base = result([]);
const { adapter, tool, timer, ceiling, runtime } = base.context;

function rowOf(kvHeads: number, depth: number, params: Partial<RowParams> = {}): BenchRow {
  const made = row(kvHeads, depth, steady(100));
  const id = `${made.id}_${JSON.stringify(params)}`;
  return { ...made, id, params: { ...made.params, ...params } };
}

function differs(more: Partial<BenchContext>) {
  return contextFacts(base, result([], more)).differs;
}

describe('contexts', () => {
  test('that are equal have everything in common', () => {
    expect(contextFacts(base, base)).toEqual({
      differs: [],
      same: [
        'suite',
        'version',
        'commit',
        'runtime',
        'webgpu',
        'adapter',
        'device',
        'driver',
        'kind of adapter',
        'subgroup sizes',
        'timer',
        'timer step',
        'cold bytes',
        'seed',
        'features',
        'ceiling (within 5 %)',
        'parameters',
      ],
    });
  });

  test.each<[string, Partial<BenchContext>, string, string]>([
    ['version', { tool: { ...tool, version: '0.2.0' } }, '0.1.0', '0.2.0'],
    ['commit', { tool: { name: 'gqa-webgpu', version: '0.1.0' } }, 'abc1234', 'not told'],
    [
      'runtime',
      { runtime: { ...runtime, kind: 'chrome', version: '147.0' } },
      'node 20.20.2',
      'chrome 147.0',
    ],
    ['webgpu', { runtime: { kind: 'node', version: '20.20.2' } }, 'dawn (webgpu 0.6.2)', 'not told'],
    ['adapter', { adapter: { ...adapter, architecture: 'two' } }, 'acme · one', 'acme · two'],
    ['device', { adapter: { ...adapter, device: '' } }, '0x01', 'not told'],
    ['driver', { adapter: { ...adapter, description: 'Acme One 2.0' } }, 'Acme One 1.0', 'Acme One 2.0'],
    ['label', { label: 'desk' }, 'not told', 'desk'],
    ['kind of adapter', { adapter: { ...adapter, software: true } }, 'GPU', 'software'],
    ['subgroup sizes', { adapter: { ...adapter, subgroupMinSize: 16 } }, '32–32', '16–32'],
    ['timer', { timer: { ...timer, source: 'wall' } }, 'GPU timestamps', 'wall clock'],
    ['timer step', { timer: { ...timer, stepNs: 65536 } }, '1 ns', '65536 ns'],
    ['cold bytes', { coldBytes: 64 * 2 ** 20 }, '256 MiB', '64 MiB'],
    ['seed', { seed: 7 }, '42', '7'],
    ['features', { features: ['subgroups', 'shader-f16'] }, 'timestamp-query', 'shader-f16'],
    ['features', { features: ['subgroups'] }, 'timestamp-query', 'none besides'],
    ['ceiling', { ceiling: { ...ceiling, readGBps: 256 } }, '512 GB/s', '256 GB/s'],
    ['--reps', { nonStandard: { reps: '5' } }, 'standard', '5'],
  ])('%s', (name, more, a, b) => {
    expect(differs(more)).toEqual([{ name, a, b }]);
  });

  test('tell another suite before anything else', () => {
    expect(contextFacts({ ...base, suite: '1' }, base).differs).toEqual([
      { name: 'suite', a: '1', b: SUITE },
    ]);
  });

  test('do not differ by the noise of the ceiling, or by the order of features', () => {
    expect(
      differs({ ceiling: { ...ceiling, readGBps: 530 }, features: base.context.features.toReversed() }),
    ).toEqual([]);
  });

  test('name each parameter that is not the same in both', () => {
    const a = result([], { nonStandard: { depth: '256', reps: '5' } });
    const b = result([], { nonStandard: { depth: '512', reps: '5', batch: '4' } });
    expect(contextFacts(a, b).differs).toEqual([
      { name: '--depth', a: '256', b: '512' },
      { name: '--batch', a: 'standard', b: '4' },
    ]);
  });
});

describe('settings', () => {
  const rows = (types: readonly string[], nonStandard: Readonly<Record<string, string>>) =>
    result(
      types.flatMap((kType) =>
        [32, 8].map((kv) => rowOf(kv, 256, { kType, vType: kType } as Partial<RowParams>)),
      ),
      { nonStandard },
    );

  test.each<[string, Readonly<Record<string, string>>, Readonly<Record<string, string>>]>([
    ['blanks after commas', { 'cache-type-k': 'f16,int8' }, { 'cache-type-k': 'f16, int8' }],
    ['the type of V stated or implied', {}, { 'cache-type-v': 'f16, int8' }],
    ['the order of lists', { 'cache-type-k': 'f16,int8' }, { 'cache-type-k': 'int8,f16' }],
    ['standard values stated', { depth: '256', heads: '32', batch: '1', cache: 'cold' }, {}],
    ['no check, by either flag', { check: 'false' }, { 'no-check': 'yes' }],
  ])('are values: %s', (_, a, b) => {
    const [of, to] = [rows(['f16', 'int8'], a), rows(['int8', 'f16'], b)];
    expect(contextFacts(of, to).differs).toEqual([]);
    expect(contextFacts(of, to).same).toContain('parameters');
  });

  test('that differ are named by what the rows have', () => {
    expect(
      contextFacts(rows(['f16'], {}), rows(['f16', 'int8'], { reps: '5', check: 'false' })).differs,
    ).toEqual([
      { name: '--reps', a: 'standard', b: '5' },
      { name: '--check', a: 'standard', b: 'no' },
      { name: '--cache-type-k', a: 'f16', b: 'f16, int8' },
      { name: '--cache-type-v', a: 'f16', b: 'f16, int8' },
    ]);
  });

  test('of a page and of the command are the same: a shape by hand has the rows of a model', () => {
    const byHand = rowOf(8, 256, { model: 'custom' });
    const [a, b] = [
      result([rowOf(8, 256)]),
      result([byHand], { nonStandard: { heads: '32', 'head-dim': '128' } }),
    ];
    expect(contextFacts(a, b).differs).toEqual([]);
    expect(rowFacts([{ a: rowOf(8, 256), b: byHand }]).differs).toEqual([]);
  });
});

describe('rows', () => {
  const rows = [1024, 2048, 4096].map((depth) => row(8, depth, steady(100)));
  const pairs = (more: readonly Partial<BenchRow>[]) =>
    rows.map((a, i) => ({ a, b: { ...a, ...more[i % more.length] } }));

  test('that are equal have everything in common', () => {
    expect(rowFacts(pairs([{}]))).toEqual({
      differs: [],
      same: ['model', 'kernel', 'sizes', 'tuning', 'splits', 'KV read', 'caches'],
    });
  });

  test('differ in a kernel: in how many, and which', () => {
    expect(rowFacts(pairs([{ kernel: 'tiles' }, {}, {}])).differs).toEqual([
      { name: 'kernel', a: 'registers', b: 'tiles', rows: 1, ways: 1 },
    ]);
  });

  test('differ in several ways: the commonest, and how many ways there are', () => {
    const sizes = [{ sizes: 'wg8' }, { sizes: 'wg256' }, { sizes: 'wg256' }];
    expect(rowFacts(pairs(sizes)).differs).toEqual([
      { name: 'sizes', a: 'registers wg64', b: 'wg256', rows: 3, ways: 2 },
    ]);
  });

  test.each<[string, Partial<BenchRow>, string, string]>([
    ['model', { params: { ...rows[0]!.params, model: 'qwen3-4b' } }, 'llama-3.1-8b', 'qwen3-4b'],
    ['tuning', { tuned: true }, 'not tuned', 'tuned'],
    ['splits', { splits: 2, splitLen: 512 }, '4 of 256', '2 of 512'],
    ['KV read', { bytes: { kvRead: 2048, partial: 0 } }, '4 MiB', '2 KiB'],
    ['caches', { cold: false }, 'cold', 'warm'],
  ])('%s', (name, more, a, b) => {
    const facts = rowFacts([{ a: rows[0]!, b: { ...rows[0]!, ...more } }]);
    expect(facts.differs).toEqual([{ name, a, b, rows: 1, ways: 1 }]);
  });

  test('without a time say nothing', () => {
    expect(rowFacts([{ a: rows[0]!, b: { ...rows[0]!, ...WRONG, kernel: 'plain' } }])).toEqual({
      differs: [],
      same: [],
    });
  });
});

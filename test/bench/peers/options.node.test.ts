// options.node.test.ts: the command line of the comparison, and who and what it selects.
import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  arithmeticOf,
  attends,
  CONTESTANTS,
  contestantName,
  generates,
  selectContestants,
  trains,
} from '../../../bench/peers/contestants.ts';
import { nonStandard, parseFlags, shapesOf } from '../../../bench/peers/options.ts';
import { llamaSizes } from '../../../bench/peers/whole/llama.ts';
import { shapeId } from '../../../bench/peers/peerRow.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

test('the standard run', () => {
  const flags = parseFlags([]);
  expect(shapesOf(flags).map((shape) => shapeId(shape))).toEqual(
    ['f32', 'f16'].flatMap((type) =>
      [1024, 4096].flatMap((t) => [32, 8, 4, 1].map((kv) => `h32_kv${kv}_d128_t${t}_${type}`)),
    ),
  );
  expect(nonStandard(flags)).toEqual({});
  expect(selectContestants(flags.contestants)).toEqual(CONTESTANTS);
});

test('the standard run of whole models, a quick one, and the sizes of their models', () => {
  const flags = parseFlags(['--whole']);
  expect(shapesOf(flags).map((shape) => shapeId(shape))).toEqual(
    [8, 4, 1].map((kv) => `h8_kv${kv}_d64_t256_f16`),
  );
  expect(nonStandard(flags)).toEqual({});
  expect(llamaSizes(shapesOf(flags)[1]!, false)).toEqual({
    layers: 8,
    heads: 8,
    kvHeads: 4,
    headDim: 64,
    mlp: 1536,
    vocab: 32_000,
    type: 'f16',
  });
  const quick = parseFlags(['--whole', '--quick', '--types', 'f32']);
  expect(shapesOf(quick).map((shape) => shapeId(shape))).toEqual(
    [4, 2, 1].map((kv) => `h4_kv${kv}_d64_t32_f32`),
  );
  expect(nonStandard(quick)).toEqual({ types: 'f32', quick: 'true' });
  expect(llamaSizes(shapesOf(quick)[0]!, true)).toMatchObject({ layers: 2, heads: 4, vocab: 1000 });
});

test('the standard run of training, one of another size, and who trains', () => {
  const flags = parseFlags(['--train']);
  expect(flags).toMatchObject({ train: true, size: 'small' });
  expect(nonStandard(flags)).toEqual({});
  expect(nonStandard(parseFlags(['--train', '--size', 'demo']))).toEqual({ size: 'demo' });
  expect(CONTESTANTS.filter(trains).map(contestantName)).toEqual(['ours@node', 'jax-js@node']);
});

test('everybody is there once', () => {
  expect(CONTESTANTS.map(contestantName)).toEqual([
    'ours@node',
    'plain@node',
    'ort-web@node',
    'jax-js@node',
    'ort-cpu@node',
    'llama.cpp-vulkan@node',
    'llama.cpp-cpu@node',
    'ours@chromium',
    'plain@chromium',
    'ort-web@chromium',
    'jax-js@chromium',
  ]);
});

test('llama.cpp has whole models alone, plain steps attention alone', () => {
  const names = CONTESTANTS.map(({ engine }) => engine);
  const without = (part: string) => names.filter((name) => !name.startsWith(part));
  expect(CONTESTANTS.filter(attends).map(({ engine }) => engine)).toEqual(without('llama.cpp'));
  expect(CONTESTANTS.filter(generates).map(({ engine }) => engine)).toEqual(without('plain'));
});

test.each([
  [['ours'], ['ours@node', 'ours@chromium']],
  [
    ['jax-js@node', 'ort-cpu'],
    ['jax-js@node', 'ort-cpu@node'],
  ],
  [
    ['chromium', 'ours'],
    ['ours@node', 'ours@chromium', 'plain@chromium', 'ort-web@chromium', 'jax-js@chromium'],
  ],
])('%j selects %j', (words, names) => {
  expect(selectContestants(words).map(contestantName)).toEqual(names);
});

test('this project computes in f32 whatever the cache, peers in its type', () => {
  expect(
    (['ours', 'plain', 'ort-web', 'ort-cpu', 'jax-js', 'llama.cpp-cpu'] as const).map((e) =>
      arithmeticOf(e, 'f16'),
    ),
  ).toEqual(['f32', 'f32', 'f16', 'f16', 'f16', 'f16']);
});

test('flags, and those that make a run other than standard', () => {
  const argv =
    '--kv-heads 8,1 -d 256-1024*2 --types f16 --contestants ours,ort-web@node --reps 5 --max-time 3';
  const flags = parseFlags([
    ...argv.split(' '),
    '--adapter',
    'swiftshader',
    '-o',
    'json',
    '--export-json',
    'x.json',
  ]);
  expect(flags).toMatchObject({
    kvHeads: [8, 1],
    depth: [256, 512, 1024],
    types: ['f16'],
    contestants: ['ours', 'ort-web@node'],
    reps: 5,
    maxTime: 3,
    adapter: 'swiftshader',
    output: 'json',
    exportJson: 'x.json',
  });
  expect(nonStandard(flags)).toEqual({
    'kv-heads': '8,1',
    depth: '256,512,1024',
    types: 'f16',
    contestants: 'ours,ort-web@node',
    'max-time': '3',
    reps: '5',
  });
});

describe('refusals', () => {
  test.each([
    [['--types', 'f8'], 'expected f32, f16, got "f8"'],
    [['--contestants', 'tfjs'], 'got "tfjs"'],
    [['--depth', '0'], 'expected a whole number from 1'],
    [['--output', 'csv'], 'csv'],
    [['--depths', '3'], "unknown option '--depths'"],
    [['--quick'], '--quick is for --whole'],
    [['--whole', '-p', '8'], '--whole has decode steps alone'],
    [['--whole', '--contestants', 'plain'], 'plain steps are attention alone'],
    [['--contestants', 'llama.cpp-cpu,llama.cpp-vulkan'], 'llama.cpp is for --whole'],
    [['--size', 'tiny'], '--size is for --train'],
    [['--train', '--size', 'huge'], 'Allowed choices are tiny, small, demo'],
    [['--train', '--kv-heads', '2'], '--train has --size alone, no --kv-heads'],
    [['--train', '--whole'], '--train has --size alone, no --whole'],
    [['--train', '--contestants', 'chromium,ort-cpu'], 'only ours@node and jax-js@node train'],
  ])('%j', (argv, message) => {
    let err = '';
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((err += String(text)), true));
    expect(() => parseFlags(argv)).toThrow();
    expect(err).toContain(message);
  });

  test('KV heads that do not divide the query heads, and head dims there are no kernels for', () => {
    expect(() => shapesOf(parseFlags(['--kv-heads', '5']))).toThrow(
      'heads (32) must be a multiple of kv-heads (5)',
    );
    expect(() => shapesOf(parseFlags(['--head-dim', '100']))).toThrow(
      'headDim: expected a multiple of 8 from 8 to 512, got 100',
    );
  });
});

// report.test.ts: an invented comparison with round numbers, and its table and notes worked by hand.
import { expect, test } from 'vitest';
import {
  peerHeader,
  peerNotes,
  peerReport,
  peerTable,
  ratioToOurs,
  trainingTable,
  wholeTable,
} from '../../../bench/peers/report.ts';
import type { PeerResult, PeerRow } from '../../../bench/schema/peerSchema.ts';
import { PEER_SCHEMA, SUITE } from '../../../bench/schema/version.ts';
import { onAdapter } from './fakeHost.ts';

const CHECK = { ref: 'cpu-f64', pass: true, maxAbsErr: 2e-7, bound: 1e-6 } as const;

function row(place: string, engine: string, ms: number, more: Partial<PeerRow> = {}): PeerRow {
  return {
    id: 'h32_kv8_d128_t4096_f32',
    place,
    engine,
    params: { heads: 32, kvHeads: 8, headDim: 128, batch: 1, depth: 4096, capacity: 4096, type: 'f32' },
    step: `${engine} step`,
    bytes: { kvRead: 32e6 },
    copies: 4,
    workingSetBytes: 2 ** 27,
    cold: true,
    check: { before: CHECK, after: { ...CHECK, maxAbsErr: 3e-7 } },
    time: {
      stepsPerSample: 1,
      samplesNs: [0, -1, 1, -1, 1, -1, 1, -1, 1].map((way) => ms * 1e6 + way * 2e5),
      wallNs: [ms * 1e6],
      firstNs: 1e9,
      median: ms * 1e6,
      ci95: [ms * 1e6 - 2e5, ms * 1e6 + 2e5],
      min: ms * 1e6,
      stop: 'reps',
    },
    warnings: [],
    ...more,
  };
}

const wrong = row('node', 'plain', 0, {
  time: null,
  check: { before: CHECK, after: { ...CHECK, pass: false, maxAbsErr: 1 } },
  error: 'wrong result after timing: error 1.00e+0, bound 1.00e-6',
});
const absent = row('chromium', 'jax-js', 0, { time: null, check: null, step: '', error: 'not installed' });

const ROWS = [
  row('node', 'ours', 4),
  wrong,
  row('node', 'ort-web', 32, { cold: false }),
  row('chromium', 'ours', 8),
  row('chromium', 'ort-web', 20),
  absent,
];

const RESULT: PeerResult = {
  schema: PEER_SCHEMA,
  suite: SUITE,
  context: {
    date: '2026-01-01T00:00:00.000Z',
    tool: { name: 'gqa-webgpu', version: '0.1.0', commit: 'abc1234' },
    runtime: { kind: 'node', version: '20.20.2' },
    packages: { 'onnxruntime-web': '1.30.0' },
    places: [
      {
        name: 'node',
        runtime: { kind: 'node', version: '20.20.2', webgpu: 'dawn (webgpu 0.6.2)' },
        ...onAdapter('Acme One'),
        ceiling: { readGBps: 100, bytes: 1, samplesNs: [] },
      },
      {
        name: 'chromium',
        runtime: { kind: 'chromium', version: '156' },
        adapter: null,
        features: [],
        ceiling: null,
      },
    ],
    coldBytes: 2 ** 26,
    timer: 'wall',
    seed: 42,
    order: 'interleaved',
    nonStandard: {},
    warnings: [{ code: 'noisy', text: '1 of 6 rows did not settle' }],
  },
  results: ROWS,
};

test('the table names a shape once and has time, ratio, rate, worst error and what was rotated', () => {
  const lines = peerTable(ROWS).split('\n').slice(2);
  const cells = lines.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  expect(cells).toEqual([
    ['h32_kv8_d128_t4096_f32', 'node', 'ours', '4.00 ± 0.20', '1.00×', '8.00', '3.0e-7', '128 MiB'],
    ['', 'node', 'plain', 'WRONG', '', '', '1.0e+0', ''],
    ['', 'node', 'ort-web', '32.0 ± 0.20', '8.00×', '1.00', '3.0e-7', 'warm, 128 MiB'],
    ['', 'chromium', 'ours', '8.00 ± 0.20', '1.00×', '4.00', '3.0e-7', '128 MiB'],
    ['', 'chromium', 'ort-web', '20.0 ± 0.20', '2.50×', '1.60', '3.0e-7', '128 MiB'],
    ['', 'chromium', 'jax-js', 'not run', '', '', '', ''],
  ]);
});

test('whole models have a table of tokens: rate, time, GB/s of weights and KV, logit error; and a line for the model', () => {
  const model = { layers: 2, mlp: 512, vocab: 1000 };
  const results = [ROWS[0]!, ROWS[2]!, absent].map((each) => {
    const bytes = { kvRead: 1e6, weights: 39e6 };
    return { ...each, params: { ...each.params, model }, bytes };
  });
  const [head, , ...lines] = wholeTable(results).split('\n');
  expect(head).toMatch(/Hkv .*tokens\/s .*ms\/token .*worst logit error/);
  const cells = lines.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  expect(cells).toEqual([
    ['8', 'f32', '4096', 'node', 'ours', '250', '4.00 ± 0.20', '1.00×', '10.0', '3.0e-7'],
    ['', '', '', 'node', 'ort-web', '31.3', '32.0 ± 0.20', '8.00×', '1.25', '3.0e-7'],
    ['', '', '', 'chromium', 'jax-js', '', 'not run', '', '', ''],
  ]);
  const text = peerReport({ ...RESULT, results });
  expect(text).toContain('2 layers of 32 query heads of 128, MLP 512, vocabulary 1000');
  expect(text).toContain(wholeTable(results));
});

test('training has a table of steps: time, tokens per second, error of the losses; and a line for model and batch', () => {
  const model = { layers: 2, mlp: 128, vocab: 61 };
  const results = [ROWS[0]!, ROWS[2]!, wrong].map((each) => {
    const params = { ...each.params, batch: 16, depth: 64, model, training: true };
    return { ...each, id: 'train_small', params };
  });
  const cells = trainingTable(results)
    .split('\n')
    .slice(2)
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  expect(cells).toEqual([
    ['small', 'node', 'ours', '4.00 ± 0.20', '256000', '1.00×', '3.0e-7'],
    ['', 'node', 'ort-web', '32.0 ± 0.20', '32000', '8.00×', '3.0e-7'],
    ['', 'node', 'plain', 'WRONG', '', '', '1.0e+0'],
  ]);
  const text = peerReport({ ...RESULT, results });
  expect(text).toContain('MLP 128, vocabulary 61; a step takes 16 sequences of 64 tokens');
  expect(text).toContain(trainingTable(results));
  expect(text).toContain('first 4 steps, in nats');
});

test('a ratio is the median of those of the rounds, not the ratio of the medians', () => {
  const sampled = (engine: string, samplesNs: number[]) => {
    const { time, ...rest } = row('node', engine, 1);
    return { ...rest, time: { ...time!, samplesNs } };
  };
  const [ours, other] = [sampled('ours', [1, 10, 2]), sampled('jax-js', [3, 20, 8])];
  expect(ratioToOurs([ours, other], other)).toBe(3);
});

test('a ratio needs both times, of one place and shape', () => {
  expect(ratioToOurs(ROWS, wrong)).toBeUndefined();
  expect(ratioToOurs(ROWS.slice(1), ROWS[2]!)).toBeUndefined();
  expect(ratioToOurs(ROWS, { ...ROWS[2]!, id: 'another' })).toBeUndefined();
});

test('the header names versions and places', () => {
  expect(peerHeader(RESULT).slice(0, 4)).toEqual([
    'gqa-webgpu 0.1.0 (abc1234)',
    'peers    onnxruntime-web 1.30.0',
    'node     node 20.20.2, dawn (webgpu 0.6.2) · acme · Acme One · shader-f16 no · reads 100 GB/s',
    'chromium chromium 156 · no WebGPU device',
  ]);
});

test('the notes have each error and each step once, and the warnings', () => {
  const again = { ...absent, id: 'another' };
  const notes = peerNotes({ ...RESULT, results: [...ROWS, again] });
  expect(notes.filter((line) => line.startsWith('error'))).toEqual([
    'error    plain@node: wrong result after timing: error 1.00e+0, bound 1.00e-6 (h32_kv8_d128_t4096_f32)',
    'error    jax-js@chromium: not installed (h32_kv8_d128_t4096_f32, another)',
  ]);
  expect(notes).toContain('warning  1 of 6 rows did not settle');
  expect(notes.filter((line) => line.startsWith('step'))).toHaveLength(5);
});

test('the report is header, table and notes', () => {
  expect(peerReport(RESULT).split('\n\n')).toHaveLength(3);
});

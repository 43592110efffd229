// report.test.ts: an invented result with round numbers, and every cell of its report worked by hand.
import { describe, expect, test } from 'vitest';
import {
  csvReport,
  farFromIdeal,
  fixedCostSentence,
  headerLines,
  markdownReport,
  resultTable,
  speedUp,
} from '../../bench/report.ts';
import type { BenchResult, BenchRow } from '../../bench/schema.ts';

const MIB = 2 ** 20;

function row(kvHeads: number, variant: string, medianNs: number, more: Partial<BenchRow> = {}): BenchRow {
  return {
    id: `h32_kv${kvHeads}_d128_t4096_f16`,
    test: 'attn @ d4096',
    variant,
    params: {
      model: 'llama-3.1-8b',
      heads: 32,
      kvHeads,
      headDim: 128,
      batch: 1,
      depth: 4096,
      capacity: 4096,
      kType: 'f16',
      vType: 'f16',
      kernel: 'fused',
    },
    splits: 16,
    splitLen: 256,
    bytes: { kvRead: kvHeads * 2 * MIB, partial: 0 },
    cold: true,
    workingSetBytes: 512 * MIB,
    check: { ref: 'cpu-f64', pass: true, maxAbsErr: 3e-7, bound: 1e-6 },
    time: {
      stepsPerSample: 10,
      samplesNs: [medianNs],
      wallNs: [medianNs],
      coldNs: 41e6,
      median: medianNs,
      ci95: [medianNs - 1000, medianNs + 1000],
      min: medianNs,
      stop: 'converged',
    },
    warnings: [],
    ...more,
  };
}

const wrong = row(8, 'gqa', 0, {
  time: null,
  error: 'wrong result: error 1.00e+0, bound 1.00e-6',
  check: { ref: 'cpu-f64', pass: false, maxAbsErr: 1, bound: 1e-6 },
});

function result(...results: BenchRow[]): BenchResult {
  return {
    schema: 'gqa-bench/1',
    suite: '1',
    context: {
      date: '2026-01-01T00:00:00.000Z',
      tool: { name: 'gqa-webgpu', version: '0.1.0', commit: 'abc1234' },
      runtime: { kind: 'node', version: '20.20.2' },
      adapter: {
        vendor: 'acme',
        architecture: 'one',
        device: '',
        description: 'Acme One',
        software: false,
        subgroupMinSize: 32,
        subgroupMaxSize: 32,
      },
      label: 'desk',
      features: ['subgroups'],
      limits: {},
      timer: { source: 'gpu-timestamp', stepNs: 1, wallRatio: 1.02, demoted: false },
      // 512 bytes per ns: 64 MiB take 131,072 ns.
      ceiling: { readGBps: 512, bytes: 1024 * MIB, wgSize: 256, groups: 4096, samplesNs: [1, 2, 3] },
      seed: 42,
      order: 'interleaved',
      nonStandard: {},
      warnings: [{ code: 'timer-coarse', text: 'timer step is 65536 ns' }],
    },
    results,
  };
}

const mha = row(32, 'mha', 262_144);
const gqa = row(8, 'gqa', 65_536);
const mqa = row(1, 'mqa', 40_960);

describe('the table', () => {
  test('has time, interval, rate, share of the ceiling and both speed-ups', () => {
    const lines = resultTable(result(mha, gqa, mqa))
      .split('\n')
      .slice(2);
    const cells = lines.map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
    expect(cells).toEqual([
      [
        'llama-3.1-8b',
        'mha',
        '32/32',
        'f16',
        '64 MiB',
        'fused',
        'attn @ d4096',
        '262.1 ± 1.0',
        '256',
        '50 %',
        '1.00×',
      ],
      [
        'llama-3.1-8b',
        'gqa',
        '32/8',
        'f16',
        '16 MiB',
        'fused',
        'attn @ d4096',
        '65.54 ± 1.0',
        '256',
        '50 %',
        '4.00× (4.00×)',
      ],
      [
        'llama-3.1-8b',
        'mqa',
        '32/1',
        'f16',
        '2 MiB',
        'fused',
        'attn @ d4096',
        '40.96 ± 1.0',
        '51.2',
        '10 %',
        '6.40× (32.0×)',
      ],
    ]);
  });

  test('gives a wrong row no time, and others no speed-up against it', () => {
    const bad = result(
      row(32, 'mha', 0, { ...wrong, params: mha.params, id: mha.id, variant: 'mha' }),
      gqa,
      mqa,
    );
    const lines = resultTable(bad).split('\n').slice(2);
    expect(lines[0]).toMatch(/WRONG \|\s+\|\s+\|\s+\|$/);
    expect(lines[1]).toContain('1.00×');
    expect(lines[2]).toContain('1.60× (8.00×)');
  });

  test('gives a hot row no share of the ceiling', () => {
    const line = resultTable(result(row(1, 'mqa', 40_960, { cold: false }))).split('\n')[2];
    expect(line).toMatch(/\| {7}hot \|/);
  });
});

test('speedUp is against the most KV heads of the same depth, kernel and types', () => {
  const other = row(32, 'mha', 1, { params: { ...mha.params, depth: 64, capacity: 64 } });
  const ratio = speedUp([other, gqa, mha], gqa)!;
  expect(ratio.baseline).toBe(mha);
  expect([ratio.real, ratio.ideal]).toEqual([4, 4]);
});

test('one sentence says what keeps the row with the fewest KV heads from its ideal', () => {
  const rows = [mha, gqa, mqa];
  expect(farFromIdeal(rows)).toEqual([mqa]);
  // 2 MiB at 512 bytes per ns are 4096 ns; 40,960 - 4096 = 36,864 ns, 90 %.
  expect(fixedCostSentence(rows, result().context.ceiling, mqa)).toBe(
    'mqa @ d4096 reads only 2 MiB, 4.10 µs at the ceiling; the other 36.9 µs (90 %) is cost that does not shrink with KV heads ' +
      '(scores, softmax and sums of all 32 query heads, dispatch, merge), so it gets 6.40× and not 32.0×.',
  );
});

describe('the report', () => {
  test('heads with device, timer, ceiling and check', () => {
    expect(headerLines(result(mha, wrong))).toEqual([
      'gqa-webgpu 0.1.0 (abc1234)',
      'device   acme · one · Acme One · shader-f16 no · subgroups 32–32 · label "desk"',
      'runtime  node 20.20.2',
      'timer    GPU timestamps, step 1 ns; wall clock / timer = 1.02',
      'ceiling  512 GB/s read, measured (1 GiB, best of 3)',
      'order    rows of one depth interleaved sample by sample, shuffled · seed 42',
      'check    1/2 outputs within bound of the float64 reference, worst error 1.0e+0',
    ]);
  });

  test('says when nothing was checked', () => {
    expect(headerLines(result(row(32, 'mha', 1, { check: null }))).at(-1)).toBe(
      'check    off: nothing here is known to be right',
    );
  });

  test('lists errors and warnings', () => {
    const text = markdownReport(result(mha, wrong));
    expect(text).toContain('error    h32_kv8_d128_t4096_f16: wrong result: error 1.00e+0, bound 1.00e-6');
    expect(text).toContain('warning  timer step is 65536 ns');
  });

  test('as CSV has a line per row and quotes what needs it', () => {
    const [head, ...lines] = csvReport(result(mha, wrong)).split('\n');
    expect(lines).toHaveLength(2);
    const columns = head!.split(',');
    const first = lines[0]!.split(',');
    expect(first).toHaveLength(columns.length);
    expect(first[columns.indexOf('medianNs')]).toBe('262144');
    expect(first[columns.indexOf('GBps')]).toBe('256');
    expect(lines[1]).toContain('"wrong result: error 1.00e+0, bound 1.00e-6"');
  });
});

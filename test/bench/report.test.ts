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
import type { BenchRow } from '../../bench/schema.ts';
import { result as resultOf, row as rowOf, WRONG } from '../support/benchResult.ts';

function row(kvHeads: number, medianNs: number, more: Partial<BenchRow> = {}): BenchRow {
  const made = rowOf(kvHeads, 4096, [medianNs], more);
  return made.time
    ? { ...made, time: { ...made.time, ci95: [medianNs - 1000, medianNs + 1000], wallNs: [medianNs + 500] } }
    : made;
}

const wrong = row(8, 0, WRONG);

// The invented GPU reads 512 bytes per ns: 64 MiB take 131,072 ns.
const result = (...rows: BenchRow[]) =>
  resultOf(rows, {
    label: 'desk',
    runtime: { kind: 'node', version: '20.20.2' },
    warnings: [{ code: 'timer-coarse', text: 'timer step is 65536 ns' }],
  });

const mha = row(32, 262_144);
const gqa = row(8, 65_536);
const mqa = row(1, 40_960, { tuned: true });

describe('the table', () => {
  test('has time, interval, rate, share of the ceiling, both speed-ups, wall time and recording cost', () => {
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
        'registers',
        'attn @ d4096',
        '262.1 ± 1.0',
        '256',
        '50 %',
        '1.00×',
        '262.6',
        '5.0',
      ],
      [
        'llama-3.1-8b',
        'gqa',
        '32/8',
        'f16',
        '16 MiB',
        'registers',
        'attn @ d4096',
        '65.54 ± 1.0',
        '256',
        '50 %',
        '4.00× (4.00×)',
        '66.04',
        '5.0',
      ],
      [
        'llama-3.1-8b',
        'mqa',
        '32/1',
        'f16',
        '2 MiB',
        'registers (tuned)',
        'attn @ d4096',
        '40.96 ± 1.0',
        '51.2',
        '10 %',
        '6.40× (32.0×)',
        '41.46',
        '5.0',
      ],
    ]);
  });

  test('gives a wrong row no time, and others no speed-up against it', () => {
    const bad = result(row(32, 0, WRONG), gqa, mqa);
    const lines = resultTable(bad).split('\n').slice(2);
    expect(lines[0]).toMatch(/WRONG \|(\s+\|){5}$/);
    expect(lines[1]).toContain('1.00×');
    expect(lines[2]).toContain('1.60× (8.00×)');
  });

  test('gives a warm row no share of the ceiling', () => {
    const line = resultTable(result(row(1, 40_960, { cold: false }))).split('\n')[2];
    expect(line).toMatch(/\| {6}warm \|/);
  });
});

test('speedUp is against the most KV heads of the same depth, kernel and types', () => {
  const other = row(32, 1, { params: { ...mha.params, depth: 64, capacity: 64 } });
  const ratio = speedUp([other, gqa, mha], gqa)!;
  expect(ratio.baseline).toBe(mha);
  expect([ratio.real, ratio.ideal]).toEqual([4, 4]);
});

test('one sentence says what keeps the row with the fewest KV heads from its ideal', () => {
  const rows = [mha, gqa, mqa];
  expect(farFromIdeal(rows)).toEqual([mqa]);
  // 2 MiB at 512 bytes per ns are 4096 ns; 40,960 - 4096 = 36,864 ns, 90 %.
  expect(fixedCostSentence(rows, result().context.ceiling, mqa)).toBe(
    'mqa f16 @ d4096 reads only 2 MiB, 4.10 µs at the ceiling; the other 36.9 µs (90 %) is cost that does not shrink with KV heads ' +
      '(scores, softmax and sums of all 32 query heads, dispatch, merge), so it gets 6.40× and not 32.0×.',
  );
});

describe('the report', () => {
  test('heads with device, timer, ceiling and check', () => {
    expect(headerLines(result(mha, wrong))).toEqual([
      'gqa-webgpu 0.1.0 (abc1234)',
      'device   acme · one · 0x01 · Acme One 1.0 · shader-f16 no · subgroups 32–32 · label "desk"',
      'runtime  node 20.20.2',
      'timer    GPU timestamps, step 1 ns; wall clock / timer = 1.02',
      'ceiling  512 GB/s read, measured (1 GiB, best of 3)',
      'caches   cold rows read copies in turn, more than 256 MiB together',
      'host     plan of 64 sequences 20.0 µs; "record" is CPU time per layer and step',
      'order    rows of one depth interleaved sample by sample, shuffled · seed 42',
      'check    1/2 outputs within bound of the float64 reference, before and after, worst error 1.0e+0',
    ]);
  });

  test('counts an output as wrong that was right only before it was timed', () => {
    const late = row(32, 0, { time: null, checkAfter: { ...mha.check!, pass: false, maxAbsErr: 0.5 } });
    expect(headerLines(result(mha, late)).at(-1)).toBe(
      'check    1/2 outputs within bound of the float64 reference, before and after, worst error 5.0e-1',
    );
    expect(markdownReport(result(mha, late))).toContain('WRONG');
  });

  test('says when nothing was checked', () => {
    expect(headerLines(result(row(32, 1, { check: null }))).at(-1)).toBe(
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
    expect(first[columns.indexOf('wallNs')]).toBe('262644');
    expect(first[columns.indexOf('recordNs')]).toBe('5000');
    expect(first[columns.indexOf('GBps')]).toBe('256');
    expect(lines[1]).toContain('"wrong result: error 1.00e+0, bound 1.00e-6"');
  });
});

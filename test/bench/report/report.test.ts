// report.test.ts: an invented result with round numbers, and every cell of its report worked by hand.
import { describe, expect, test } from 'vitest';
import { csvReport } from '../../../bench/report/csvReport.ts';
import { headerLines, markdownReport, noteLines, resultTable } from '../../../bench/report/report.ts';
import type { BenchRow } from '../../../bench/schema/schema.ts';
import {
  NO_TIME,
  NOT_RUN,
  result as resultOf,
  row as rowOf,
  steady,
  WRONG,
} from '../../support/benchResult.ts';

/** Nine samples: one at the median, four a microsecond below it and four a microsecond above. */
function row(kvHeads: number, medianNs: number, more: Partial<BenchRow> = {}): BenchRow {
  const samples = [medianNs, ...steady(medianNs - 1000, 4), ...steady(medianNs + 1000, 4)];
  const made = rowOf(kvHeads, 4096, samples, more);
  return made.time ? { ...made, time: { ...made.time, wallNs: [medianNs + 500] } } : made;
}

/** The cells of each row of a table. */
function cellsOf(table: string): string[][] {
  return table
    .split('\n')
    .slice(2)
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

const [TIME, SPEED_UP] = [7, 10];

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
    const cells = cellsOf(resultTable(result(mha, gqa, mqa)));
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
    const cells = cellsOf(resultTable(result(row(32, 0, WRONG), gqa, mqa)));
    expect(cells[0]!.slice(TIME)).toEqual(['WRONG', '', '', '', '', '']);
    expect(cells.slice(1).map((line) => line[SPEED_UP])).toEqual(['—', '—']);
  });

  test('gives a row whose clock could tell no time none', () => {
    expect(cellsOf(resultTable(result(row(32, 0, NO_TIME))))[0]!.slice(TIME)).toEqual([
      'no time',
      '',
      '',
      '',
      '',
      '',
    ]);
  });

  test('gives fewer than six samples their range, and a single one nothing beside it', () => {
    const at = (samples: readonly number[]) =>
      cellsOf(resultTable(result(rowOf(32, 4096, samples))))[0]![TIME];
    expect(at([260_000, 264_000])).toBe('262.0 [260.0–264.0]');
    expect(at([1000, 2000, 3000, 4000, 5000])).toBe('3.000 [1.000–5.000]');
    expect(at([262_144])).toBe('262.1');
  });

  test('gives a time no narrower interval than its clock allows', () => {
    const at = (clockNs: number) => cellsOf(resultTable(result(row(32, 262_144, { clockNs }))))[0]![TIME];
    expect(at(100)).toBe('262.1 ± 1.0');
    expect(at(5000)).toBe('262.1 ± 5.0');
  });

  test('of some rows holds them against all of the run', () => {
    const cells = cellsOf(resultTable(result(mha, gqa, mqa), [gqa]));
    expect(cells.map((line) => line[SPEED_UP])).toEqual(['4.00× (4.00×)']);
  });

  test('gives a warm row no share of the ceiling', () => {
    const line = resultTable(result(row(1, 40_960, { cold: false }))).split('\n')[2];
    expect(line).toMatch(/\| {6}warm \|/);
  });
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

  test('says how many kernels steps dispatch, of rows that ran', () => {
    const whole = row(1, 1, { dispatches: ['decode_registers'] });
    const split = row(8, 1, { dispatches: ['decode_registers', 'decode_merge'] });
    const lines = (...rows: BenchRow[]) =>
      headerLines(result(...rows)).filter((line) => line.startsWith('step'));
    const append = 'an append of new tokens is one more, RoPE and QK-norm in it';
    expect(lines(whole, whole, wrong)).toEqual([
      `step     1 dispatch (decode_registers) per layer; ${append}`,
    ]);
    expect(lines(split, whole)).toEqual([
      `step     1 dispatch (decode_registers) or 2 dispatches (decode_registers, decode_merge) per layer; ${append}`,
    ]);
    expect(lines(wrong)).toEqual([]);
    const { params } = whole;
    const appended = { ...whole, params: { ...params, append: true }, dispatches: ['append_kv', 'tiles'] };
    expect(lines(whole, appended)).toEqual([
      'step     1 dispatch (decode_registers) or 2 dispatches (append_kv, tiles) per layer; RoPE and QK-norm are in append_kv',
    ]);
  });

  test('says of a wall clock how fine and how late it is, and does not hold it against itself', () => {
    const timer = {
      source: 'wall',
      stepNs: 5000,
      wallLateNs: 2_100_000,
      wallRatio: null,
      demoted: false,
    } as const;
    expect(headerLines(resultOf([mha], { timer }))[3]).toBe(
      'timer    wall clock, step 5000 ns, up to 2.10 ms late',
    );
    const unjudged = { ...timer, source: 'gpu-timestamp', stepNs: 1 } as const;
    expect(headerLines(resultOf([mha], { timer: unjudged }))[3]).toBe(
      'timer    GPU timestamps, step 1 ns; wall clock / timer not judged',
    );
  });

  test('says what counts as cold, and whether any row is', () => {
    const hot = row(8, 65_536, { cold: false });
    const caches = (...rows: BenchRow[]) => headerLines(result(...rows))[5];
    expect(caches(mha, hot)).toBe('caches   cold rows read copies in turn, more than 256 MiB together');
    expect(caches(hot)).toBe('caches   no row is cold: its copies would be more than 256 MiB together');
  });

  test('says "after" only of rows that were checked after', () => {
    const { checkAfter: _, ...once } = mha;
    expect(headerLines(result(once)).at(-1)).toMatch(/reference, worst error/);
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

  test('says why there is no speed-up', () => {
    const notes = (...rows: BenchRow[]) => noteLines(result(...rows)).join('\n');
    const why = 'no speed-up @ d4096: it is against the mha row, and ';
    expect(notes(gqa, mqa)).toContain(`note     ${why}this run has none.`);
    expect(notes(row(32, 0, NOT_RUN), gqa)).toContain(`${why}it has no time.`);
    expect(notes(row(32, 262_144, { warnings: ['noisy'] }), gqa)).toContain('note     ~ marks a speed-up');
    expect(notes(mha, gqa)).not.toContain('no speed-up');
  });

  test('explains only figures that are there', () => {
    const notes = (...rows: BenchRow[]) => noteLines(result(...rows)).join('\n');
    expect(notes(mha)).toContain('± is half the 95 % interval of the median.');
    expect(notes(mha)).not.toContain('[ ]');
    expect(notes(rowOf(32, 4096, [1, 2]))).toMatch(/\[ \] is the range of the samples: fewer than 6/);
    expect(notes(rowOf(32, 4096, [1, 2]))).not.toContain('±');
    expect(notes(rowOf(32, 4096, [1]))).toContain('a time alone is a single sample');
    expect(notes(row(32, 262_144, { clockNs: 1 }))).toContain('or what the clock may be off if that is more');
    expect(notes(wrong)).not.toContain('first run');
  });

  test('as CSV has no interval of few samples and no speed-up without an MHA row', () => {
    const [head, line] = csvReport(result(rowOf(8, 4096, [1, 2, 3]))).split('\n');
    const cell = (name: string) => line!.split(',')[head!.split(',').indexOf(name)];
    expect(['ciLowNs', 'ciHighNs', 'speedUp', 'ideal'].map(cell)).toEqual(['', '', '', '']);
    expect(cell('samples')).toBe('3');
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

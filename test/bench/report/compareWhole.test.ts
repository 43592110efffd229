// compareWhole.test.ts: results of whole models compared: which rows are the same, and what differs.
import { describe, expect, test } from 'vitest';
import { compareResults } from '../../../bench/report/compare.ts';
import { compareJson, compareMarkdown } from '../../../bench/report/compareReport.ts';
import { parseComparable } from '../../../bench/schema/readResult.ts';
import type { WholeRow } from '../../../bench/schema/wholeSchema.ts';
import { result, row, steady } from '../../support/benchResult.ts';
import { wholeResultOf, wholeRow } from '../../support/wholeResult.ts';

const side = (name: string, rows: readonly WholeRow[]) => ({ name, result: wholeResultOf(rows) });
const compared = (a: readonly WholeRow[], b: readonly WholeRow[]) =>
  compareResults(side('a.json', a), side('b.json', b), 0.02);

describe('rows of whole models', () => {
  test('are joined by model, variant, depth and batch', () => {
    const others = [
      { model: 'qwen' },
      { kvHeads: 2, method: 'mean' },
      { kvHeads: 2, method: 'pca' },
      { depth: 128 },
      { batch: 4 },
      { depth: 64, prompt: 64 },
    ];
    const all = [wholeRow(steady(2e6)), ...others.map((more) => wholeRow(steady(2e6), more))];
    const { rows, onlyInA, onlyInB } = compared(all, all.toReversed());
    expect(rows).toHaveLength(7);
    expect([onlyInA, onlyInB]).toEqual([[], []]);
    for (const { a, b } of rows) expect(b).toBe(a);
    for (const more of others) {
      const alone = compared([wholeRow(steady(2e6))], [wholeRow(steady(2e6), more)]);
      expect([alone.rows.length, alone.onlyInA.length, alone.onlyInB.length]).toEqual([0, 1, 1]);
    }
  });

  test('of the same folder in another place are the same', () => {
    const [a, b] = ['./models/smollm/', 'C:\\smollm'].map((model) => wholeRow(steady(2e6), { model }));
    expect(compared([a!], [b!]).rows).toHaveLength(1);
  });

  test('have ratios and verdicts, times in milliseconds, and settings that differ', () => {
    const faster = wholeRow(steady(1.5e6), { kType: 'int8', weightType: 'int4' });
    const comparison = compared([wholeRow(steady(2e6))], [faster]);
    expect(comparison.rows[0]!.change).toEqual({
      change: -0.25,
      interval: [-0.25, -0.25],
      verdict: 'faster',
    });
    expect(comparison.differs).toEqual([
      { name: '--cache-type-k', a: 'f16', b: 'int8' },
      { name: '--weight-type', a: 'standard', b: 'int4' },
    ]);
    const text = compareMarkdown(comparison);
    expect(text).toMatch(/\| row +\| variant \| +a ms \| +b ms \|/);
    expect(text).toMatch(/\| kv8_b1_d64 \| mha +\| +2.000 \| +1.500 \|/);
    expect(compareJson(comparison).rows[0]).toMatchObject({ id: 'kv8_b1_d64', a: { medianNs: 2e6 } });
  });
});

test('two kinds of results are refused', () => {
  const attention = { name: 'attention.json', result: result([row(8, 1024, steady(200))]) };
  expect(() => compareResults(attention, side('whole.json', []), 0.02)).toThrow(
    'expected results of one kind, got attention.json of attention alone and whole.json of whole models (gqa bench --whole)',
  );
});

test('a file is read as the kind that its schema says', () => {
  const whole = wholeResultOf([wholeRow(steady(2e6))]);
  expect(parseComparable(JSON.stringify(whole), 'w.json')).toEqual(whole);
  const { params: _, ...bad } = whole.results[0]!;
  expect(() => parseComparable(JSON.stringify({ ...whole, results: [bad] }), 'w.json')).toThrow(
    'w.json: results[0] (kv8_b1_d64): params: expected an object',
  );
  const attention = result([row(8, 1024, steady(200))]);
  expect(parseComparable(JSON.stringify(attention), 'a.json')).toEqual(attention);
  expect(() => parseComparable('[]', 'n.json')).toThrow('n.json: schema: expected "gqa-bench/1"');
});

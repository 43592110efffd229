// report.test.ts: the tables of `gqa reproduce`, and its result's schema.
import { expect, test } from 'vitest';
import { linesOf, mainAlpha, originalLoss } from '../../../bench/reproduce/figures.ts';
import { reproduceOptions, sizeFor } from '../../../bench/reproduce/options.ts';
import { reproduceReport } from '../../../bench/reproduce/report.ts';
import { parseReproduceResult } from '../../../bench/schema/readResult.ts';
import { reproduced } from '../../support/reproduceResult.ts';

test('figures are means over seeds, with the least and the most', () => {
  const result = reproduced();
  expect(originalLoss(result).mean).toBeCloseTo(2.1, 12);
  expect(mainAlpha(result)).toBe(0.05);
  expect(mainAlpha({ ...result, params: { ...result.params, alphas: [0, 0.02] } })).toBe(0.02);
  const [first] = linesOf(result);
  expect(first).toMatchObject({ kvHeads: 2, method: 'mean' });
  expect(first!.points[1]!.mean).toBeCloseTo(2.55, 12);
  expect(first!.points[1]!.least).toBeCloseTo(2.45, 12);
  expect(first!.points[1]!.most).toBeCloseTo(2.65, 12);
});

test('the report has three tables, names the software adapter, and says what was not timed', () => {
  const text = reproduceReport(reproduced());
  expect(text).toContain(
    'Figure 4: nats a token after 5.0 % of the steps, by method; the multi-head model trained on as long: 2.050 (1.950 to 2.150)',
  );
  expect(text).toMatch(/\| mean +\| 2\.550 \(2\.450 to 2\.650\) \| 3\.050 \(2\.950 to 3\.150\) \|/);
  expect(text).toContain('Figure 5');
  expect(text).toMatch(/\| +2 \| +2 KiB \| +not timed \|/);
  expect(text).toContain('on "a CPU", a software adapter');
  const { decode: _, ...untimed } = reproduced();
  expect(reproduceReport(untimed)).not.toContain('Figure 6');
});

test('a result is read back; a damaged one is refused with the place', () => {
  const result = reproduced();
  expect(parseReproduceResult(JSON.stringify(result), 'x.json')).toEqual(result);
  const damaged = { ...result, runs: [{ ...result.runs[0], loss: 'low' }] };
  expect(() => parseReproduceResult(JSON.stringify(damaged), 'x.json')).toThrow(
    /x\.json: runs\[0\]\.loss: expected a number, got "low"/,
  );
});

test('the size follows the adapter, and numbers of KV heads the size', () => {
  const cpu = { software: true, vendor: 'mesa' };
  expect(sizeFor(cpu)).toBe('small');
  expect(sizeFor({ software: true, vendor: 'google' })).toBe('tiny');
  expect(sizeFor({ software: false, vendor: 'nvidia' })).toBe('demo');
  expect(reproduceOptions({ times: false }, cpu)).toMatchObject({
    size: 'small',
    kvHeads: [2, 1],
    seeds: [1, 2],
    depth: undefined,
  });
  expect(reproduceOptions({ times: true, size: 'demo' }, cpu)).toMatchObject({
    kvHeads: [4, 2, 1],
    depth: 8192,
  });
});

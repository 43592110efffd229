// typeErrors.test.ts: what each element type loses lies between what its steps allow and what they cost at least.
import { describe, expect, test } from 'vitest';
import { OUTLIER, typeErrors, typesTable } from '../../../bench/studies/typeErrors.ts';
import { KV_RANGES, KV_TYPES } from '../../../src/index.ts';

const study = { headDim: 128, tokens: 128 };
const errors = Object.fromEntries(typeErrors(study).map((each) => [each.type, each]));

/** Of numbers spread evenly between powers of two, rounded to nearest: half a last place is the most, 0.29 of one the mean. */
const halfType = (fractionBits: number) => [2 ** -(fractionBits + 1) / 4, 2 ** -(fractionBits + 1)] as const;

describe('stored elements', () => {
  test('f32 loses nothing', () => {
    expect(errors.f32).toMatchObject({ stored: 0, storedOthers: 0 });
  });

  test.each([
    ['f16', ...halfType(10)],
    ['bf16', ...halfType(7)],
  ] as const)('%s: between %d and %d, outlier or not', (type, least, most) => {
    const { stored, storedOthers } = errors[type]!;
    for (const error of [stored, storedOthers]) {
      expect(error).toBeGreaterThan(least);
      expect(error).toBeLessThan(most);
    }
  });

  // Steps of 1/127 (1/8) of the largest of 128 (32) normal elements, 2.0 to 4.5 (1.5 to 4), and 0.29 of a step each.
  test.each([
    ['int8', (0.288 * 2.0) / 127, (0.289 * 4.5) / 126],
    ['int4', (0.288 * 1.5) / 8, (0.289 * 4.0) / 7.5],
  ] as const)('%s: between %d and %d', (type, least, most) => {
    expect(errors[type]!.stored).toBeGreaterThan(least);
    expect(errors[type]!.stored).toBeLessThan(most);
  });

  test('an outlier costs int8 all of its row, int4 all of its 32, and no others', () => {
    const ofBlock = Math.sqrt(31 / 127);
    // With steps of some 10 and more, all of the 31 become 0; a few of them do not.
    expect(errors.int4!.storedOthers).toBeGreaterThan(0.85 * ofBlock);
    expect(errors.int4!.storedOthers).toBeLessThan(1.05 * ofBlock);
    expect(errors.int8!.storedOthers).toBeGreaterThan(5 * errors.int8!.stored);
    expect(errors.int8!.storedOthers).toBeLessThan((0.289 * OUTLIER) / 127);
  });
});

test('the output is off by about as much as K and V, and f32 arithmetic by far less than any type', () => {
  for (const type of ['f16', 'bf16', 'int8', 'int4'] as const) {
    const { stored, storedOthers, output, outputOutlierV, outputOutlierK } = errors[type]!;
    expect(output).toBeGreaterThan(stored);
    expect(output).toBeLessThan(2 * stored);
    for (const error of [outputOutlierV, outputOutlierK]) {
      expect(error).toBeGreaterThan(0.7 * storedOthers);
      expect(error).toBeLessThan(2 * storedOthers);
    }
    expect(errors.f32!.output).toBeLessThan(output / 100);
  }
  expect(errors.f32!.output).toBeGreaterThan(1e-8);
});

test('the table has a row for each type, with its range', () => {
  const rows = typesTable(study)
    .split('\n')
    .slice(2, 2 + KV_TYPES.length);
  const cells = rows.map((row) => row.split('|').map((cell) => cell.trim()));
  expect(cells.map(([, type]) => type)).toEqual(KV_TYPES);
  for (const [, type, largest, precise, least] of cells) {
    const range = KV_RANGES[type as (typeof KV_TYPES)[number]];
    expect(Number(largest) / range.largest).toBeCloseTo(1, 1);
    expect(Number(precise) / range.precise).toBeCloseTo(1, 1);
    expect(Number(least) / range.least).toBeCloseTo(1, 1);
  }
});

// batches.test.ts: parts of a text, windows drawn from it step by step, and windows that are held out.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ShapeError } from '../../../src/device/errors.ts';
import {
  batchAt,
  heldOutWindows,
  splitTokens,
  type Tokens,
  type Windows,
} from '../../../src/train/text/batches.ts';
import { expectFrequencies } from '../../support/chiSquare.ts';

/** Tokens that say where they stand. */
const places = (count: number): Tokens => Uint32Array.from({ length: count }, (_, i) => i);

/** Where each window begins; fails unless rows are windows and targets the tokens that follow. */
function startsOf({ tokens, targets }: Windows, context: number): number[] {
  expect(targets).toEqual(tokens.map((token) => token + 1));
  return Array.from({ length: tokens.length / context }, (_, row) => {
    const window = tokens.subarray(row * context, (row + 1) * context);
    expect(window).toEqual(window.map((_place, i) => window[0]! + i));
    return window[0]!;
  });
}

test.each([
  [100, 0.1, 90],
  [100, 0, 100],
  [7, 0.5, 4],
  [3, 0.1, 3],
  [0, 0.5, 0],
])('%i tokens, %d of them held out: the end, and no token in both', (count, share, kept) => {
  const { training, heldOut } = splitTokens(places(count), share);
  expect(training.length).toBe(kept);
  expect([...training, ...heldOut]).toEqual([...places(count)]);
});

test.each([-0.1, 1, 2, NaN])('a share of %d', (share) => {
  expect(() => splitTokens(places(9), share)).toThrow(
    new ShapeError(`held-out share: expected a number from 0 to less than 1, got ${share}`),
  );
});

test('a batch is a function of seed and step', () => {
  const request = { tokens: places(1000), seed: 7, step: 3, batch: 4, context: 16 };
  const first = batchAt(request);
  batchAt({ ...request, step: 4 });
  expect(batchAt(request)).toEqual(first);
  const starts = (change: object) => startsOf(batchAt({ ...request, ...change }), 16);
  // Rows of a larger batch begin with those of a smaller one.
  expect(starts({ batch: 6 }).slice(0, 4)).toEqual(starts({}));
  const others = [{ step: 4 }, { seed: 8 }, { seed: 2 ** 32 - 1 }].map(starts);
  for (const other of others) expect(other).not.toEqual(starts({}));
});

// Taken from a Philox in Python's whole numbers.
test('the same on every platform', () => {
  const at = (step: number) =>
    startsOf(batchAt({ tokens: places(100_000), seed: 42, step, batch: 4, context: 8 }), 8);
  expect([at(0), at(1), at(123_456)]).toEqual([
    [53267, 13371, 62643, 43350],
    [58703, 1312, 28733, 33283],
    [56805, 32704, 9653, 45783],
  ]);
});

test('every window is equally likely, in each row and over the steps', () => {
  const [count, context, batch, steps] = [23, 5, 4, 1500];
  const windows = count - context;
  const rows = Array.from({ length: batch }, () => Array.from({ length: windows }, () => 0));
  // Pairs of windows that follow each other in a row's steps: they would show a bond between steps.
  const pairs = Array.from({ length: windows ** 2 }, () => 0);
  let before: number[] | undefined;
  for (let step = 0; step < steps; step++) {
    const starts = startsOf(batchAt({ tokens: places(count), seed: 1, step, batch, context }), context);
    for (const [row, start] of starts.entries()) {
      rows[row]![start]!++;
      if (before) pairs[before[row]! * windows + start]!++;
    }
    before = starts;
  }
  const even = (n: number) => Array.from({ length: n }, () => 1 / n);
  for (const [row, counts] of rows.entries()) expectFrequencies(`row ${row}`, counts, even(windows));
  expectFrequencies('pairs', pairs, even(windows ** 2));
});

test('a text of one window', () => {
  const { tokens, targets } = batchAt({ tokens: places(5), seed: 0, step: 0, batch: 2, context: 4 });
  expect([...tokens]).toEqual([0, 1, 2, 3, 0, 1, 2, 3]);
  expect([...targets]).toEqual([1, 2, 3, 4, 1, 2, 3, 4]);
});

test.each([
  [21, 4, 5, [0, 5, 10, 15]],
  [22, 3, 5, [0, 8, 16]],
  [100, 1, 9, [0]],
  [10, 4, 5, [0, 1, 2, 4]],
  [6, 3, 5, [0, 0, 0]],
])('of %i tokens, %i windows of %i are held out at %j', (count, windows, context, starts) => {
  expect(startsOf(heldOutWindows({ tokens: places(count), windows, context }), context)).toEqual(starts);
});

test('held-out windows share no target where there are enough tokens, and reach both ends', () => {
  const sizes = fc.record({ windows: fc.nat(40), context: fc.nat(60), more: fc.nat(500) });
  fc.assert(
    fc.property(sizes, ({ windows, context, more }) => {
      const [rows, width] = [windows + 2, context + 1];
      const count = rows * width + 1 + more;
      const starts = startsOf(
        heldOutWindows({ tokens: places(count), windows: rows, context: width }),
        width,
      );
      expect(starts[0]).toBe(0);
      expect(starts.at(-1)! + width).toBe(count - 1);
      const gaps = starts.slice(1).map((start, i) => start - starts[i]!);
      expect(Math.min(...gaps)).toBeGreaterThanOrEqual(width);
      expect(Math.max(...gaps) - Math.min(...gaps)).toBeLessThanOrEqual(1);
    }),
    { numRuns: 60 },
  );
});

const TOO_SHORT = (what: string) =>
  `${what}: expected at least 9 tokens, a context of 8 and the one that follows it, got 8`;

test('too few tokens for a window', () => {
  expect(() => batchAt({ tokens: places(8), seed: 1, step: 0, batch: 1, context: 8 })).toThrow(
    new ShapeError(TOO_SHORT('training text')),
  );
  expect(() => heldOutWindows({ tokens: places(8), windows: 1, context: 8 })).toThrow(
    new ShapeError(TOO_SHORT('held-out text')),
  );
});

test.each([
  [{ seed: -1 }, 'seed: expected a whole number from 0 to 4294967295, got -1'],
  [{ seed: 0.5 }, 'seed: expected a whole number from 0 to 4294967295, got 0.5'],
  [{ step: -1 }, 'step: expected a whole number from 0 to 4294967295, got -1'],
  [{ step: 2 ** 32 }, 'step: expected a whole number from 0 to 4294967295, got 4294967296'],
  [{ batch: 0 }, 'batch: expected a whole number from 1 to 4294967295, got 0'],
  [{ context: 0 }, 'context: expected a whole number from 1 to 4294967295, got 0'],
  [{ context: 1.5 }, 'context: expected a whole number from 1 to 4294967295, got 1.5'],
])('refused: %j', (change, expected) => {
  const request = { tokens: places(9), seed: 1, step: 0, batch: 1, context: 4 };
  expect(() => batchAt({ ...request, ...change })).toThrow(new ShapeError(expected));
});

test.each([0, NaN])('%d held-out windows', (windows) => {
  expect(() => heldOutWindows({ tokens: places(9), windows, context: 4 })).toThrow(
    new ShapeError(`windows: expected a whole number from 1 to 4294967295, got ${windows}`),
  );
});

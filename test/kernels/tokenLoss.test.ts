// tokenLoss.test.ts: token_loss against its twin: large logits, rows without a target, and logits that are no numbers.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { tokenLoss as tokenLossKernel } from '../../src/kernels/model/tokens.ts';
import { normals } from '../../src/numbers/random.ts';
import { tokenLoss } from '../reference/tokenLoss.ts';
import { testDevice } from '../support/device.ts';
import { exactly, expOf, logOf, minus, plus, sumOfProducts } from '../support/rounding.ts';
import { runKernel, unwritten } from '../support/runKernel.ts';

const device = await testDevice();

const NONE = 0xffffffff;

/** Runs it over rows with `spare` poisoned elements behind each, and gives the losses. */
async function lossesOf(
  rows: readonly (readonly number[])[],
  targets: readonly number[],
  spare = 3,
): Promise<number[]> {
  const vocab = rows[0]!.length;
  const stride = vocab + spare;
  const logits = new Float32Array(rows.length * stride).fill(NaN);
  for (const [row, list] of rows.entries()) logits.set(list, row * stride);
  const { losses } = await runKernel(device, {
    kernel: tokenLossKernel({ vocab, stride }, 256),
    grid: [rows.length, 1, 1],
    inputs: { logits, targets: Uint32Array.from(targets) },
    outputs: { losses: unwritten(rows.length + 1) },
  });
  const [...all] = losses!;
  expect(all.pop(), 'a row that is not of the dispatch').toBe(unwritten(1)[0]);
  return all;
}

/** The loss by the kernel's operations, with how far f32 may be. */
function bounded(logits: readonly number[], target: number) {
  const most = exactly(Math.max(...logits));
  const weights = logits.map((logit) => expOf(minus(exactly(logit), most)));
  const sum = sumOfProducts(weights, () => exactly(1));
  return plus(minus(most, exactly(logits[target]!)), logOf(sum));
}

async function check(rows: readonly (readonly number[])[], targets: readonly number[]): Promise<void> {
  const got = await lossesOf(rows, targets);
  const truth = tokenLoss(rows, targets);
  for (const [row, loss] of got.entries()) {
    if (targets[row]! >= rows[row]!.length) {
      expect(loss, `row ${row}`).toBe(0);
      continue;
    }
    const { value, error } = bounded(rows[row]!, targets[row]!);
    expect(Math.abs(value - truth[row]!)).toBeLessThan(1e-12 * (1 + truth[row]!));
    expect(
      Math.abs(loss - truth[row]!),
      `row ${row}: expected ${truth[row]}, got ${loss}`,
    ).toBeLessThanOrEqual(error);
  }
}

const rowOf = (seed: number, vocab: number, spread: number, shift = 0) =>
  Array.from(normals(seed, vocab), (x) => Math.fround(x * spread + shift));

describe('token_loss', () => {
  test.each([1, 2, 255, 256, 257, 1000])('of %i tokens', (vocab) =>
    check(
      Array.from({ length: 5 }, (_, row) => rowOf(row, vocab, 1 + row)),
      [0, vocab - 1, NONE, vocab >> 1, vocab],
    ),
  );

  test('large logits do not overflow, nor do small ones vanish', async () => {
    const shifts = [1e4, -1e4, 80, -80, 1e30, -1e30];
    await check(
      shifts.map((shift, row) => rowOf(row, 300, 2, shift)),
      shifts.map((_, row) => 50 * row),
    );
    await check([rowOf(1, 300, 1e4), rowOf(2, 300, 80), [1e4, ...rowOf(3, 299, 1, -1e4)]], [7, 8, 9]);
    expect(await lossesOf([[1e4, -1e4]], [0])).toEqual([0]);
    expect(await lossesOf([[1e4, -1e4]], [1])).toEqual([2e4]);
  });

  test('equal logits cost the logarithm of their number', async () => {
    const [loss] = await lossesOf([Array.from({ length: 1000 }, () => -7)], [999]);
    expect(loss).toBeCloseTo(Math.log(1000), 5);
  });

  test('no target costs nothing, whatever the logits are', async () => {
    expect(
      await lossesOf(
        [
          [1, 2],
          [NaN, 1],
          [1, Infinity],
        ],
        [2, NONE, 2],
      ),
    ).toEqual([0, 0, 0]);
  });

  test.each([NaN, Infinity, -Infinity])('a logit of %f makes its own row NaN', async (bad) => {
    for (const place of [0, 3, 255, 256, 299]) {
      const rows = [rowOf(1, 300, 1), rowOf(2, 300, 1), rowOf(3, 300, 1)];
      rows[1]![place] = bad;
      const [first, second, third] = await lossesOf(rows, [3, 3, 3]);
      expect(second).toBeNaN();
      expect([first, third].every(Number.isFinite)).toBe(true);
      expect(tokenLoss(rows, [3, 3, 3])[1]).toBeNaN();
    }
  });

  test('any rows', async () => {
    // Shaders of the tests above: each number of tokens is one of its own.
    const vocabs = fc.constantFrom(1, 2, 255, 256, 257, 300, 1000).chain((vocab) =>
      fc
        .array(
          fc.record({
            seed: fc.nat(),
            spread: fc.constantFrom(0.1, 1, 30),
            shift: fc.integer({ min: -1000, max: 1000 }),
            target: fc.nat(vocab),
          }),
          { minLength: 1, maxLength: 6 },
        )
        .map((rows) => ({ vocab, rows })),
    );
    const property = fc.asyncProperty(vocabs, ({ vocab, rows }) =>
      check(
        rows.map(({ seed, spread, shift }) => rowOf(seed, vocab, spread, shift)),
        rows.map(({ target }) => target),
      ),
    );
    await fc.assert(property, { numRuns: 20, seed: 4, endOnFailure: true });
  });
});

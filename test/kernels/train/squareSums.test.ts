// squareSums.test.ts: square_sums against its twin: parts of any number of gradients, and gradients that are no numbers.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  squareParts,
  squareSums as squareSumsKernel,
  squareSumsGrid,
  squareSumsNumbers,
} from '../../../src/kernels/train/optimiser.ts';
import { normals } from '../../../src/numbers/random.ts';
import { squareShares, squareSums } from '../../reference/squareSums.ts';
import { testDevice } from '../../support/device.ts';
import { exactly, sumOfProducts } from '../../support/rounding.ts';
import { runKernel, SENTINEL, unwritten } from '../../support/runKernel.ts';

const device = await testDevice();

/** The sums; behind the gradients the last vec4 is poison. */
async function run(gradients: readonly number[], parts: number): Promise<number[]> {
  const count = gradients.length;
  const padded = new Float32Array(Math.ceil(count / 4) * 4).fill(NaN);
  padded.set(gradients);
  const { sums } = await runKernel(device, {
    kernel: squareSumsKernel(),
    grid: squareSumsGrid({ parts }),
    inputs: { gradients: padded, numbers: squareSumsNumbers({ count, parts }) },
    outputs: { sums: unwritten(parts + 1) },
  });
  const [...all] = sums!;
  expect(all.pop(), 'behind the last part').toBe(Math.fround(SENTINEL));
  return all;
}

const some = (count: number, magnitude = 1) =>
  Array.from(normals(count, count), (x) => Math.fround(x * magnitude));

async function check(count: number, parts: number, magnitude = 1): Promise<void> {
  const gradients = some(count, magnitude);
  const got = await run(gradients, parts);
  const truth = squareSums(gradients, parts);
  for (const [part, [first, end]] of squareShares(count, parts).entries()) {
    const share = gradients.slice(first, end).map(exactly);
    const bound = sumOfProducts(share, (i) => share[i]!).error;
    const place = `${count} in ${parts}, part ${part}: expected ${truth[part]} within ${bound}, got ${got[part]}`;
    expect(Math.abs(got[part]! - truth[part]!), place).toBeLessThanOrEqual(bound);
  }
}

test.each([1, 3, 4, 5, 255, 256, 257, 4096, 10_001])('%i gradients', async (count) => {
  for (const parts of [1, 2, 7]) await check(count, parts);
});

test('numbers large and small', async () => {
  for (const magnitude of [1e-12, 1e12]) await check(1000, 3, magnitude);
});

test.each([NaN, Infinity, -Infinity])('a gradient of %f makes its part NaN, and no other', async (bad) => {
  for (const place of [1024, 1029, 2046, 2047]) {
    const gradients = some(4096);
    gradients[place] = bad;
    expect((await run(gradients, 4)).map(Number.isNaN)).toEqual([false, true, false, false]);
    expect(squareSums(gradients, 4).map(Number.isNaN)).toEqual([false, true, false, false]);
  }
});

test('squares too large for f32 leave no finite sum', async () => {
  expect((await run([1, 1e30], 1)).some(Number.isFinite)).toBe(false);
});

test('parts: as many as fill a device, and none without work', () => {
  for (const software of [true, false]) {
    const parts = [1, 256, 1025, 16_384, 100_000, 1e7].map((count) => squareParts(count, { software }));
    expect(parts).toEqual(software ? [1, 1, 2, 8, 8, 8] : [1, 1, 2, 16, 98, 512]);
  }
});

test('any number', async () => {
  const sizes = [fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 40 })] as const;
  const property = fc.asyncProperty(...sizes, (count, parts) => check(count, parts));
  await fc.assert(property, { numRuns: 15, seed: 9, endOnFailure: true });
});

// stepFigures.test.ts: step_figures against its twin: the slot that is written, and numbers that are none.
import { expect, test } from 'vitest';
import {
  stepFigures as stepFiguresKernel,
  stepFiguresGrid,
  stepFiguresNumbers,
} from '../../../src/kernels/train/optimiser.ts';
import { trainStepWords } from '../../../src/kernels/train/trainStep.ts';
import { normals } from '../../../src/numbers/random.ts';
import { stepFigures } from '../../reference/stepFigures.ts';
import { testDevice } from '../../support/device.ts';
import { exactly, over, rootOf, sumOf } from '../../support/rounding.ts';
import { runKernel, unwritten } from '../../support/runKernel.ts';
import { IDLE_STEP } from '../../support/trainStep.ts';

const device = await testDevice();

const SLOTS = 5;

/** What the slot gets; every other must stay as it is. */
async function run(losses: readonly number[], counted: number, sums: readonly number[], slot: number) {
  const step = trainStepWords({ ...IDLE_STEP, slot, losses: losses.length, counted });
  const { figures } = await runKernel(device, {
    kernel: stepFiguresKernel(),
    grid: stepFiguresGrid(),
    inputs: {
      // Losses of rows that the step has not are poison.
      losses: Float32Array.of(...losses, NaN, NaN),
      sums: Float32Array.of(...sums, NaN),
      numbers: stepFiguresNumbers({ parts: sums.length }),
    },
    outputs: { figures: unwritten(2 * SLOTS) },
    step,
  });
  const all = [...figures!];
  const written = all.splice(2 * slot, 2) as [number, number];
  expect(all).toEqual([...unwritten(2 * SLOTS - 2)]);
  return written;
}

const some = (seed: number, count: number) =>
  Array.from(normals(seed, count), (x) => Math.fround(Math.abs(x)));

async function check(rows: number, counted: number, parts: number, slot: number): Promise<void> {
  const [losses, sums] = [some(rows, rows), some(rows + parts, parts)];
  const [mean, norm] = await run(losses, counted, sums, slot);
  const truth = stepFigures(losses, counted, sums);
  const bound = over(sumOf(losses.map(exactly)), exactly(counted)).error;
  expect(Math.abs(mean - truth[0]), `mean ${mean}, expected ${truth[0]}`).toBeLessThanOrEqual(bound);
  const normBound = rootOf(sumOf(sums.map(exactly))).error;
  expect(Math.abs(norm - truth[1]), `norm ${norm}, expected ${truth[1]}`).toBeLessThanOrEqual(normBound);
}

test.each([1, 2, 63, 64, 65, 128, 1000])('%i losses', (rows) => check(rows, rows, 3, 2));

test.each([1, 2, 63, 64, 65, 512])('%i sums of squares', (parts) => check(10, 7, parts, 4));

test('no gradient at all has the norm 0', async () => {
  expect(await run([1, 2], 2, [0, 0], 0)).toEqual([1.5, 0]);
});

test.each([NaN, Infinity, -Infinity])('%f makes its own figure NaN', async (bad) => {
  for (const place of [0, 63, 64, 99]) {
    const spoilt = some(1, 100).with(place, bad);
    expect((await run(spoilt, 100, [1, 2], 0)).map(Number.isFinite)).toEqual([false, true]);
    expect((await run([1, 2], 2, spoilt, SLOTS - 1)).map(Number.isFinite)).toEqual([true, false]);
    expect(stepFigures(spoilt, 100, spoilt)).toEqual([NaN, NaN]);
  }
});

test('losses too large for their sum are no finite mean', async () => {
  expect((await run([3e38, 3e38], 2, [1], 0)).map(Number.isFinite)).toEqual([false, true]);
});

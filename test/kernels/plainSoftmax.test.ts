// plainSoftmax.test.ts: plain_softmax against its twin.
import { describe, expect, test } from 'vitest';
import { normals } from '../../src/numbers/random.ts';
import { plainSoftmax as plainSoftmaxKernel, rowGrid } from '../../src/kernels/plain.ts';
import { checkShape } from '../../src/kernels/shape.ts';
import { NEG_MAX } from '../reference/decodeTiles.ts';
import { plainSoftmax, type ScoreRows } from '../reference/plainSoftmax.ts';
import { testDevice } from '../support/device.ts';
import { expectWithinRule, expectWritten, withoutFloor } from '../support/errorRule.ts';
import { F32_ROWS } from '../support/rowFormats.ts';
import { rowsOf, stepWords } from '../support/runDecode.ts';
import { runKernel } from '../support/runKernel.ts';

const device = await testDevice();

const ROWS_PER_SEQUENCE = 6;

/** Random scores; slots past a length hold NaN. */
function randomRows(
  kvLens: readonly number[],
  capacity: number,
  spread: number,
): ScoreRows & { scores: Float32Array<ArrayBuffer> } {
  const scores = normals(5, kvLens.length * ROWS_PER_SEQUENCE * capacity).map((x) => x * spread);
  const rows = kvLens.flatMap((kvLen) => Array.from({ length: ROWS_PER_SEQUENCE }, () => kvLen));
  rows.forEach((kvLen, row) => scores.fill(NaN, row * capacity + kvLen, (row + 1) * capacity));
  return { kvLens, rowsPerSequence: ROWS_PER_SEQUENCE, capacity, scores };
}

async function check(rows: ScoreRows & { scores: Float32Array<ArrayBuffer> }): Promise<void> {
  const shape = checkShape({ batch: rows.kvLens.length, numQHeads: 6, numKvHeads: 2, headDim: 64 });
  const out = await runKernel(device, {
    kernel: plainSoftmaxKernel(shape, { kType: 'f32', vType: 'f32' }, F32_ROWS),
    grid: rowGrid(shape, shape.qLen),
    inputs: {},
    outputs: { scores: rows.scores.slice(), lse: new Float32Array(shape.rows).fill(NaN) },
    step: stepWords({ ...rows, rows: rowsOf(shape) }),
  });
  const truth = plainSoftmax(rows);
  const naive = plainSoftmax(rows, Math.fround);
  // Slots past the length are left alone.
  expectWritten('weights', out.scores!, truth.weights, naive.weights, () => NaN);
  expectWithinRule('lse', withoutFloor(out.lse!), truth.lse, naive.lse);
}

const LENGTHS = [0, 1, 2, 63, 64, 65, 127, 128, 129, 200];

describe('plain_softmax', () => {
  test('lengths around the workgroup size', () => check(randomRows(LENGTHS, 201, 1)));
  test('scores of large magnitude', () => check(randomRows(LENGTHS, 200, 1000)));

  test('hidden keys get weight 0; a row of hidden keys alone is empty', async () => {
    const rows = randomRows([70, 3], 71, 1);
    for (let t = 60; t < 70; t++) rows.scores[2 * 71 + t] = NEG_MAX;
    rows.scores.fill(NEG_MAX, 4 * 71, 4 * 71 + 70);
    rows.scores.fill(NEG_MAX, 8 * 71, 8 * 71 + 3);
    await check(rows);
    expect([plainSoftmax(rows).lse[4], plainSoftmax(rows).lse[8]]).toEqual([-Infinity, -Infinity]);
  });
});

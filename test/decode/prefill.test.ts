// prefill.test.ts: chunks of many positions by the kernel that is made for them, against float64.
import { expect, test } from 'vitest';
import { runProblem } from '../../bench/check/runProblem.ts';
import { cacheLayout, checkShape } from '../../src/index.ts';
import { chooseFused } from '../../src/kernels/fused.ts';
import { choosePrefill } from '../../src/kernels/prefill.ts';
import { randomProblem, shapeOf, storeProblem, type ProblemOptions } from '../../src/reference/problem.ts';
import { bits, expectClose, expectRight } from '../support/attend.ts';
import { testDevice } from '../support/device.ts';
import { GPU_FACTS } from '../support/deviceFacts.ts';

const control = { numQHeads: 8, numKvHeads: 2, headDim: 32, qLen: 70 };

test.each<[string, ProblemOptions]>([
  ['a whole prompt', { ...control, kvLens: [70] }],
  ['a chunk behind others', { ...control, kvLens: [301] }],
  ['more positions than keys', { ...control, kvLens: [33] }],
  ['no keys', { ...control, kvLens: [0], capacity: 5 }],
  ['sequences of several lengths', { ...control, batch: 3, kvLens: [31, 97, 200] }],
  [
    'sequences of several numbers of positions',
    { ...control, batch: 4, kvLens: [200, 70, 33, 9], qLens: [1, 70, 0, 9] },
  ],
])('%s', async (_name, problem) => {
  await expectRight(problem, { kernel: 'prefill' });
});

test('groups of 7, V of int8, in sizes of a GPU', async () => {
  const problem = {
    ...control,
    numQHeads: 7,
    numKvHeads: 1,
    headDim: 80,
    kvLens: [90],
    vType: 'int8',
  } as const;
  const variant = choosePrefill(shapeOf(randomProblem(problem)), { kType: 'f32', vType: 'int8' }, GPU_FACTS);
  await expectRight(problem, { variant });
});

test('features', async () => {
  const bias = new Float32Array(70 * 99).map((_, i) => ((i * 37) % 11) / 5 - 1);
  const features = {
    softcap: 3,
    window: 21,
    sinkLogits: [0, 1, -2, 3, 0.5, -1, 2, 0],
    bias: { shape: [1, 1, 70, 99], values: bias },
  } as const;
  await expectRight({ ...control, kvLens: [99], features }, { kernel: 'prefill' });
});

test.each([
  ['one run of keys', [70, 71]],
  ['two, with NaN between them', [300, 0]],
])('windows and sink tokens: %s', async (_, kvLens) => {
  const features = { window: 8, sinkTokens: 5 };
  const problem = randomProblem({ ...control, batch: 2, kvLens, features });
  const { headDim, capacity, numKvHeads } = problem;
  const first = kvLens[0]! - (8 + problem.qLen - 1); // before it no window begins
  const [k, v] = [problem.k.slice(), problem.v.slice()];
  for (let head = 0; head < numKvHeads; head++) {
    if (first <= 5) break;
    for (const rows of [k, v])
      rows.fill(NaN, (head * capacity + 5) * headDim, (head * capacity + first) * headDim);
  }
  const holed = storeProblem({ ...problem, k, v });
  const { o, lse } = await runProblem(await testDevice(), holed, { kernel: 'prefill' });
  expectClose(holed, o, lse);
});

test('splits are merged', async () => {
  await expectRight({ ...control, kvLens: [300] }, { kernel: 'prefill', numSplits: 3 });
});

test('a prompt in pieces comes to the same bits as whole', async () => {
  const device = await testDevice();
  const whole = randomProblem({ ...control, kvLens: [70] });
  const { o, lse } = await runProblem(device, whole, { kernel: 'prefill' });
  expectClose(whole, o, lse);
  for (const [begin, end] of [
    [0, 33],
    [33, 70],
  ] as const) {
    const count = end - begin;
    const q = moved(whole.q, begin, 32);
    const piece = { ...whole, q, kvLens: [end], qLens: [count] };
    const got = await runProblem(device, piece, { kernel: 'prefill' });
    for (let head = 0; head < 8; head++) {
      const rows = (from: number) => [head * 70 + from, head * 70 + from + count] as const;
      const [first, last] = rows(0);
      const [firstWhole, lastWhole] = rows(begin);
      expect(bits(got.o.slice(first * 32, last * 32))).toEqual(
        bits(o.slice(firstWhole * 32, lastWhole * 32)),
      );
      expect(bits(got.lse.slice(first, last))).toEqual(bits(lse.slice(firstWhole, lastWhole)));
    }
  }
});

/** Rows [Hq, Lq, D] from a position on, which becomes the first; behind them are others. */
function moved(rows: Float32Array<ArrayBuffer>, begin: number, dim: number): Float32Array<ArrayBuffer> {
  const all = new Float32Array(rows.length);
  all.set(rows.subarray(begin * dim));
  return all;
}

test.each([
  [8, false],
  [9, true],
])('%d positions: chosen %s', async (qLen, chosen) => {
  const { facts } = await testDevice();
  const shape = checkShape({ ...control, qLen });
  const { template } = chooseFused(shape, cacheLayout({ numKvHeads: 2, headDim: 32, capacity: 100 }), facts);
  expect(template === 'prefill').toBe(chosen);
});

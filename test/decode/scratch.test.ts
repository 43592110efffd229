import { expect, test } from 'vitest';
import { testDevice } from '../support/device.ts';
import { randomProblem, runProblem, type ProblemOptions, type RunOptions } from '../../bench/problem.ts';
import { expect64, verify } from '../../bench/verify.ts';

const cases: [string, ProblemOptions, RunOptions][] = [
  ['control', { numQHeads: 8, numKvHeads: 2, headDim: 64, kvLens: [257], capacity: 300 }, {}],
  ['control1', { numQHeads: 8, numKvHeads: 2, headDim: 64, kvLens: [25], capacity: 300 }, {}],
  ['d128', { numQHeads: 8, numKvHeads: 2, headDim: 128, kvLens: [257], capacity: 300 }, {}],
  ['d256', { numQHeads: 8, numKvHeads: 2, headDim: 256, kvLens: [257], capacity: 300 }, {}],
  ['d80', { numQHeads: 8, numKvHeads: 2, headDim: 80, kvLens: [257], capacity: 300 }, {}],
  ['g9', { numQHeads: 18, numKvHeads: 2, headDim: 64, kvLens: [257], capacity: 300 }, {}],
  ['wgsub', { numQHeads: 8, numKvHeads: 2, headDim: 64, kvLens: [257], capacity: 300 }, { variant: { reduce: 'workgroup' } }],
  ['gpuvar', { numQHeads: 8, numKvHeads: 2, headDim: 64, kvLens: [257], capacity: 300 }, { variant: { wgSize: 64, tile: 64 } }],
  ['gpuvar32', { numQHeads: 64, numKvHeads: 2, headDim: 64, kvLens: [257], capacity: 300 }, { variant: { reduce: 'workgroup', wgSize: 128, tile: 32, rowBlock: 32 } }],
  ['gpuvar64', { numQHeads: 128, numKvHeads: 2, headDim: 128, kvLens: [257], capacity: 300 }, { variant: { reduce: 'workgroup', wgSize: 256, tile: 32, rowBlock: 64 } }],
  ['plain', { numQHeads: 8, numKvHeads: 2, headDim: 64, kvLens: [257], capacity: 300 }, { kernel: 'plain' }],
];
test.each(cases)('%s', async (_, p, r) => {
  const device = await testDevice();
  const problem = randomProblem(p);
  const { o, lse } = await runProblem(device, problem, r);
  const t = performance.now();
  const v = verify(expect64(problem), o, lse);
  console.log(_, JSON.stringify(v), 'verify ms', performance.now() - t);
  expect(v.pass, v.worst).toBe(true);
});

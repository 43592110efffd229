// reference.test.ts: every function of the entry `gqa-webgpu/reference`, with everything that its arguments are not.
import { expect, test } from 'vitest';
import * as library from '../../src/reference.ts';
import { functionsOf, nothing, testCalls, type Calls } from '../support/wrongValues.ts';

const OPTIONS = {
  batch: 2,
  numQHeads: 4,
  numKvHeads: 2,
  headDim: 64,
  vHeadDim: 64,
  qLen: 1,
  causal: true,
  capacity: 4,
  kvLens: [1, 3],
  kType: 'f16' as const,
  vType: 'int8' as const,
  smScale: 1,
  seed: 1,
};
const LEFT_OUT = ['batch', 'vHeadDim', 'qLen', 'causal', 'capacity', 'kType', 'vType', 'smScale', 'seed'];
const ALSO = {
  ...Object.fromEntries(LEFT_OUT.map((name) => [`0.${name}`, [undefined]])),
  '0.causal': [undefined, true],
  '0.smScale': [undefined, -1, 1.5],
};

const { kType: _k, vType: _v, kStored: _ks, vStored: _vs, ...problem } = library.randomProblem(OPTIONS);
const ANY_SCALE = { '0.vHeadDim': [undefined], '0.causal': [true], '0.smScale': [-1, 1.5] };
const expected = library.expect64(problem);
const values = () => {
  const { seed: _, ...options } = OPTIONS;
  const { q, k, v } = problem;
  return { ...options, q, k, v };
};

const FUNCTIONS: Calls = {
  attention: {
    call: library.attention,
    args: () => [problem, Math.fround],
    also: { ...ANY_SCALE, 1: [undefined, nothing] },
  },
  expect64: { call: library.expect64, args: () => [problem], also: ANY_SCALE },
  randomProblem: { call: library.randomProblem, args: () => [OPTIONS], also: ALSO },
  storeProblem: { call: library.storeProblem, args: () => [values()], also: ALSO },
  verify: { call: library.verify, args: () => [expected, new Float32Array(512), new Float32Array(8)] },
};

testCalls(FUNCTIONS, (value) => value !== expected);

test('all that is exported is here', () => {
  expect(functionsOf(library)).toEqual(Object.keys(FUNCTIONS).toSorted());
});

// attend.ts: runs attention problems on the shared device and holds the results against the float64 reference.
import { expect } from 'vitest';
import { randomProblem, type ProblemOptions } from '../../src/reference/problem.ts';
import { runProblem, type RunOptions } from '../../bench/check/runProblem.ts';
import { expect64, verify } from '../../src/reference/verify.ts';
import type { AttentionProblem } from '../../src/reference/attention.ts';
import { testDevice } from './device.ts';

/** Fails unless the kernel keeps its bounds on a random problem; the failure holds all that is needed to repeat it. */
export async function expectRight(options: ProblemOptions, run: RunOptions = {}): Promise<void> {
  const problem = randomProblem(options);
  const { o, lse } = await runProblem(await testDevice(), problem, run);
  expectClose(problem, o, lse, JSON.stringify({ ...options, ...run }));
}

/** Fails unless o and lse are what the float64 reference says, within flash-attention's bound. */
export function expectClose(problem: AttentionProblem, o: Float32Array, lse: Float32Array, name = ''): void {
  const verdict = verify(expect64(problem), o, lse);
  expect(verdict.pass, `${name}: ${JSON.stringify(verdict)}`).toBe(true);
}

/** The bits of f32 values: unlike values they tell 0 from -0 and compare NaN with NaN. */
export function bits(values: Float32Array<ArrayBuffer>): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length);
}

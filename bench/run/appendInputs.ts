// appendInputs.ts: what the appends of a workload are given: rows that come to the problem's own once they are normalised and turned, so
// that steps with an append and steps without one have the same result.
import { createRope, uploadStorage, type AppendArgs, type GqaDevice } from '../../src/index.ts';
import { normals } from '../../src/numbers/random.ts';
import type { StoredProblem } from '../../src/reference/problem.ts';
import { tokenRows } from '../check/growCache.ts';
import type { BenchFeature } from '../schema/benchFeatures.ts';
import { meanSquare, rowsBefore, type Turns } from './rowsBefore.ts';

/** The last tokens of each sequence of a problem, as many as it has query positions, to be appended. */
export interface AppendInputs {
  /** Tokens that sequences hold before: [B]. */
  readonly held: readonly number[];
  readonly args: Omit<AppendArgs, 'layer'>;
  /** Queries before an append turns them, where it does: it turns them in place. */
  readonly q: Float32Array<ArrayBuffer>;
}

type Keep = <T extends { destroy(): void }>(resource: T) => T;

/** Makes the rows and uploads them; `q` is the buffer of the problem's queries, which are turned there. */
export async function createAppendInputs(
  device: GqaDevice,
  problem: StoredProblem,
  features: readonly BenchFeature[],
  q: GPUBuffer,
  keep: Keep,
): Promise<AppendInputs> {
  const { numQHeads, numKvHeads, headDim, vHeadDim, qLen: numTokens, kvLens, capacity } = problem;
  const held = kvLens.map((kvLen) => kvLen - numTokens);
  const counts = kvLens.map(() => numTokens);
  const rows = {
    k: tokenRows({ ...problem, values: problem.k, dim: headDim }, held, counts),
    v: tokenRows({ ...problem, values: problem.v, dim: vHeadDim }, held, counts),
    q: problem.q,
  };
  const isTurned = features.includes('rope');
  const norms = features.includes('qk-norm')
    ? { k: normWeights(rows.k, headDim, 1), q: normWeights(rows.q, headDim, 2), eps: EPS }
    : undefined;
  const before = (of: 'k' | 'q', heads: number) =>
    rowsBefore(rows[of], { heads, numTokens, headDim, held }, turnsOf(isTurned, norms, of));
  const k = keep(uploadStorage(device, 'new k', before('k', numKvHeads)));
  const v = keep(uploadStorage(device, 'new v', rows.v));
  if (!isTurned && !norms) return { held, args: { k, v, numTokens }, q: problem.q };
  const rope = isTurned ? keep(await createRope(device, { headDim, positions: capacity })) : undefined;
  return {
    held,
    args: { k, v, q, numQHeads, numTokens, ...(rope && { rope }), ...(norms && { qkNorm: norms }) },
    q: before('q', numQHeads),
  };
}

/** Large, so that it decides how long a row gets: rows of any length up to that of the weights can be had. */
const EPS = 1;

interface Norms {
  readonly k: Float32Array;
  readonly q: Float32Array;
  readonly eps: number;
}

function turnsOf(isTurned: boolean, norms: Norms | undefined, of: 'k' | 'q'): Turns {
  return {
    ...(isTurned && { rope: true }),
    ...(norms && { norm: { weights: norms[of], eps: norms.eps } }),
  };
}

/**
 * Weights of one magnitude and of both signs, above the length of all rows. Queries are normalised again with each step: by weights of
 * several magnitudes most of their elements would vanish; so they go towards a mean square of 1, where random ones are.
 */
function normWeights(rows: Float32Array, headDim: number, seed: number): Float32Array {
  let most = 0;
  for (let at = 0; at < rows.length; at += headDim) {
    most = Math.max(most, meanSquare(rows.subarray(at, at + headDim)));
  }
  const magnitude = Math.sqrt(Math.max(1 + EPS, 1.1 * most));
  return normals(seed, headDim).map((x) => (x < 0 ? -magnitude : magnitude));
}

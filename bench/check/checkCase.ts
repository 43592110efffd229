// checkCase.ts: a case of the numerics grid, and its name.
import type { KvType } from '../../src/index.ts';
import type { RowsOptions } from '../../src/kernels/rowPlaces.ts';
import { typesName } from '../../src/numbers/elements.ts';
import type { ProblemOptions } from '../../src/reference/problem.ts';
import type { ProblemPlaces } from './runProblem.ts';

/** A problem with a name that says all of it: `h8_kv4_d64_t257_f16`, `b3_h8_kv4_d64_t257-0-63_f16`. */
export interface CheckCase {
  readonly name: string;
  readonly problem: ProblemOptions;
  /** Templates of the fused kernel to run: the one the device would take, or (default) all that it can run. */
  readonly variants?: 'chosen';
  /** Where rows and tokens lie. Default: dense f32 rows, a cache that is loaded. */
  readonly places?: ProblemPlaces;
}

/** Names a case by what it is made of; the defaults (one sequence, one query position, causal, dense) are left out. */
export function checkCase(problem: ProblemOptions, places?: ProblemPlaces): CheckCase {
  const { batch = 1, numQHeads, numKvHeads, headDim, vHeadDim, kvLens, causal = true } = problem;
  const parts = [
    ...(batch > 1 ? [`b${batch}`] : []),
    `h${numQHeads}`,
    `kv${numKvHeads}`,
    vHeadDim === undefined ? `d${headDim}` : `d${headDim}-${vHeadDim}`,
    `t${kvLens.join('-')}`,
    ...positionsName(problem),
    ...(causal ? [] : ['full']),
    ...Object.keys(problem.features ?? {}),
    ...placesName(places),
    elementName(problem),
  ];
  return { name: parts.join('_'), problem, ...(places && { places }) };
}

function positionsName({ qLen = 1, qLens }: ProblemOptions): string[] {
  if (qLens) return [`q${qLens.join('-')}`];
  return qLen > 1 ? [`q${qLen}`] : [];
}

function placesName({ q, o, pageSize, grown }: ProblemPlaces = {}): string[] {
  return [
    ...(q ? [`q-${rowsName(q)}`] : []),
    ...(o ? [`o-${rowsName(o)}`] : []),
    ...(pageSize === undefined ? [] : [`pages-of-${pageSize}`]),
    ...(grown ? ['grown'] : []),
  ];
}

function rowsName({ type = 'f32', layout = 'BHLD' }: RowsOptions): string {
  return `${typeof layout === 'string' ? layout : 'strides'}-${type}`;
}

/** The element type of K and V: `f16`, or `f16-f32` when they differ. */
export function elementName({ kType = 'f32', vType = kType }: { kType?: KvType; vType?: KvType }): string {
  return typesName({ kType, vType }, (k, v) => `${k}-${v}`);
}

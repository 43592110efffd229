// cases.ts: the numerics grid: a control case, then one thing varied at a time. Data only.
import type { KvType } from '../src/index.ts';
import type { ProblemOptions } from './problem.ts';

/** A problem with a name that says all of it: `h8_kv2_d128_t257_f16`, `b3_h8_kv2_d128_t257-0-63_f16`. */
export interface CheckCase {
  readonly name: string;
  readonly problem: ProblemOptions;
  /** Variants of the fused kernel to run: the one the device would take, or (default) that and the one without subgroups. */
  readonly variants?: 'chosen';
}

// Groups of 4, several splits, a last tile that holds one key.
const CONTROL: ProblemOptions = { numQHeads: 8, numKvHeads: 2, headDim: 128, kvLens: [257] };

const CONTROL_GROUP = CONTROL.numQHeads / CONTROL.numKvHeads;

const GROUPS = [1, 2, 3, 5, 6, 7, 8, 12, 16, 32];
const DIMS = [64, 80, 96, 112, 192, 256];
// One key; the tiles of all variants (32 to 128 keys) and the least split (128), one less and one more; odd primes.
const LENGTHS = [1, 31, 32, 33, 63, 64, 65, 127, 128, 129, 131, 509, 997, 1000];

const VARIED: readonly Partial<ProblemOptions>[] = [
  {},
  ...GROUPS.map((group) => ({ numQHeads: 2 * group })),
  { numQHeads: 71, numKvHeads: 1 },
  { numQHeads: 32, numKvHeads: 8 },
  ...DIMS.map((headDim) => ({ headDim })),
  ...LENGTHS.map((kvLen) => ({ kvLens: [kvLen] })),
  { batch: 3, kvLens: [257, 0, 63] },
  ...[2, 5, 8].map((qLen) => ({ qLen })),
  // The first rows of a causal step may see nothing at all.
  { batch: 3, qLen: 8, kvLens: [3, 65, 0] },
  { qLen: 5, causal: false },
];

/** The whole grid: every problem with a cache of f16 and one of f32, by every variant of the fused kernel. */
export const CHECK_CASES: readonly CheckCase[] = VARIED.flatMap((varied) =>
  (['f16', 'f32'] as const).map((type) => checkCase({ ...CONTROL, ...varied, kType: type })),
);

/**
 * The grid for software adapters, which compile each shader for seconds: what runs the control case's shaders (lengths,
 * batches, heads) as in the whole grid; every other group size, head dim and query count with a cache of f16 alone, by
 * the variant of the fused kernel that the device would take.
 */
export const SOFTWARE_CASES: readonly CheckCase[] = CHECK_CASES.flatMap((each): CheckCase[] => {
  if (sharesControl(each.problem)) return [each];
  return each.problem.kType === 'f16' ? [{ ...each, variants: 'chosen' }] : [];
});

function sharesControl({ numQHeads, numKvHeads, headDim, qLen = 1 }: ProblemOptions): boolean {
  return headDim === CONTROL.headDim && numQHeads / numKvHeads === CONTROL_GROUP && qLen === 1;
}

/** A fifth of a grid: a look at each of the things varied. */
export function quickCases(cases: readonly CheckCase[]): CheckCase[] {
  return cases.filter((_, i) => i % 5 === 0);
}

/** Names a problem by what it is made of; the defaults (one sequence, one query position, causal) are left out. */
export function checkCase(problem: ProblemOptions): CheckCase {
  const { batch = 1, numQHeads, numKvHeads, headDim, kvLens, qLen = 1, causal = true } = problem;
  const parts = [
    ...(batch > 1 ? [`b${batch}`] : []),
    `h${numQHeads}`,
    `kv${numKvHeads}`,
    `d${headDim}`,
    `t${kvLens.join('-')}`,
    ...(qLen > 1 ? [`q${qLen}`] : []),
    ...(causal ? [] : ['full']),
    elementName(problem),
  ];
  return { name: parts.join('_'), problem };
}

/** The element type of K and V: `f16`, or `f16-f32` when they differ. */
export function elementName({ kType = 'f32', vType = kType }: { kType?: KvType; vType?: KvType }): string {
  return kType === vType ? kType : `${kType}-${vType}`;
}

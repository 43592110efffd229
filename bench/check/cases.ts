// cases.ts: the numerics grid: a control case, then one thing varied at a time. Data only.
import type { KvType } from '../../src/index.ts';
import type { ProblemOptions } from '../../src/reference/problem.ts';
import { checkCase, elementName, type CheckCase } from './checkCase.ts';
import { ENGINE_CASES, ENGINE_SOFTWARE_CASES } from './engineCases.ts';

// Groups of 2, a last round and a last tile that hold one key. Small, because software adapters compile a shader of
// quantised elements the longer, the more rows and elements it has.
const CONTROL: ProblemOptions = { numQHeads: 8, numKvHeads: 4, headDim: 64, kvLens: [257] };

const CONTROL_GROUP = CONTROL.numQHeads / CONTROL.numKvHeads;

const GROUPS = [1, 3, 4, 5, 6, 7, 8, 12, 16, 32];
const DIMS = [8, 40, 80, 96, 112, 128, 192, 256, 512];
// One key; the rounds and tiles of all variants (1 to 128 keys), the least split (128) and the most that is not split (128, 256
// or 1,024), one less and one more; odd primes.
const LENGTHS = [1, 31, 32, 33, 63, 64, 65, 127, 128, 129, 131, 255, 256, 509, 997, 1000, 1023, 1024, 1025];

const VARIED: readonly Partial<ProblemOptions>[] = [
  {},
  ...GROUPS.map((group) => ({ numQHeads: 2 * group, numKvHeads: 2 })),
  { numQHeads: 71, numKvHeads: 1 },
  ...DIMS.map((headDim) => ({ headDim })),
  { numQHeads: 32, numKvHeads: 8, headDim: 128 },
  { headDim: 192, vHeadDim: 128 },
  { headDim: 24, vHeadDim: 72 },
  ...LENGTHS.map((kvLen) => ({ kvLens: [kvLen] })),
  { batch: 3, kvLens: [257, 0, 63] },
  { batch: 3, kvLens: [20, 1100, 600] },
  ...[2, 5, 8].map((qLen) => ({ qLen })),
  // The first rows of a causal step may see nothing at all.
  { batch: 3, qLen: 8, kvLens: [3, 65, 0] },
  { qLen: 5, causal: false },
];

/** Where all element types are tried: the control case, the least split and one key more, a long sequence, all head dims. */
const TYPED: readonly Partial<ProblemOptions>[] = [
  {},
  { kvLens: [129] },
  { kvLens: [1000] },
  ...DIMS.map((headDim) => ({ headDim })),
];

const MIXED: readonly (readonly [KvType, KvType])[] = [
  ['f32', 'bf16'],
  ['f16', 'int8'],
  ['int8', 'int4'],
];

/**
 * Dense rows over loaded caches: every problem with a cache of f16 and one of f32, some of them with all other element types too, by every
 * template of the fused kernel.
 */
const KERNEL_CASES: readonly CheckCase[] = [
  ...VARIED.flatMap((varied) => casesIn(varied, 'f16', 'f32')),
  ...TYPED.flatMap((varied) => casesIn(varied, 'bf16', 'int8', 'int4')),
  ...MIXED.map(([kType, vType]) => checkCase({ ...CONTROL, kType, vType })),
];

/** The whole grid. */
export const CHECK_CASES: readonly CheckCase[] = [...KERNEL_CASES, ...ENGINE_CASES];

function casesIn(varied: Partial<ProblemOptions>, ...types: KvType[]): CheckCase[] {
  return types.map((kType) => checkCase({ ...CONTROL, ...varied, kType }));
}

/**
 * The grid for software adapters, which compile each shader for seconds: what runs the control case's shaders (lengths,
 * batches, element types) as in the whole grid, every other group size by all templates with a cache of f16 alone; every
 * other head dim and query count with a cache of f16 alone, by the template that the device would take; and some of the
 * engine's cases, which hold each of its features.
 */
export const SOFTWARE_CASES: readonly CheckCase[] = [
  ...KERNEL_CASES.flatMap(softwareCases),
  ...ENGINE_SOFTWARE_CASES,
];

function softwareCases(each: CheckCase): CheckCase[] {
  const { headDim, vHeadDim = headDim, qLen = 1, kType } = each.problem;
  const alike = headDim === CONTROL.headDim && vHeadDim === headDim && qLen === 1;
  if (alike && groupOf(each.problem) === CONTROL_GROUP) return [each];
  if (kType !== 'f16') return [];
  return [alike ? each : { ...each, variants: 'chosen' }];
}

function groupOf({ numQHeads, numKvHeads }: ProblemOptions): number {
  return numQHeads / numKvHeads;
}

/** Which cases of the grid to run, as the command's options say. */
export interface CaseChoice {
  /** Every fifth case of each element type. */
  readonly quick?: boolean;
  /** The whole grid on a software adapter too. */
  readonly full?: boolean;
  /** Of these only cases whose name contains this. */
  readonly case?: string;
}

/** The cases of a choice, for a software adapter or a GPU; none where no name contains the text. */
export function casesFor(
  software: boolean,
  { quick, full, case: text = '' }: CaseChoice,
): readonly CheckCase[] {
  const grid = software && !full ? SOFTWARE_CASES : CHECK_CASES;
  return (quick ? quickCases(grid) : grid).filter(({ name }) => name.includes(text));
}

/** The same cases, a look at each of the things varied before the rest: who stops early has seen something of all. */
export function quickFirst(cases: readonly CheckCase[]): CheckCase[] {
  const first = new Set(quickCases(cases));
  return [...first, ...cases.filter((each) => !first.has(each))];
}

/** Of each element type of a grid every fifth case: a look at each of the things varied, and at every type. */
export function quickCases(cases: readonly CheckCase[]): CheckCase[] {
  const seen = new Map<string, number>();
  return cases.filter(({ problem }) => {
    const type = elementName(problem);
    const count = seen.get(type) ?? 0;
    seen.set(type, count + 1);
    return count % 5 === 0;
  });
}

// cases.ts: the decode steps whose kernels are compiled, by what the project chooses for them.
import { checkShape, ShapeError, type GqaShape, type KvType } from '../../src/index.ts';

/** Heads and head dim, as in "32/8/128". */
export interface IsaShape {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
}

/** MHA, GQA and MQA of common models, and what is uneven in models that are there: 28 heads, 71 heads, head dims 64 and 256. */
export const SHAPES = '32/32/128,32/8/128,32/4/128,32/1/128,64/8/128,8/1/256,28/4/128,16/16/64,71/1/64';

/** Chosen by the project, or asked for by name where a device has no subgroups. */
export const KERNELS = ['auto', 'tiles'] as const;

/** A kernel of a step, chosen or asked for. */
export type AskedKernel = (typeof KERNELS)[number];

/** One decode step: K and V of one type, one sequence, `qLen` query positions. */
export interface IsaCase extends IsaShape {
  readonly type: KvType;
  readonly qLen: number;
  readonly kernel: AskedKernel;
}

/** Which cases a run compiles. */
export interface IsaCases {
  readonly shapes: readonly IsaShape[];
  readonly types: readonly KvType[];
  readonly qLens: readonly number[];
  readonly kernels: readonly AskedKernel[];
}

/** All combinations. */
export function casesOf({ shapes, types, qLens, kernels }: IsaCases): IsaCase[] {
  return kernels.flatMap((kernel) =>
    shapes.flatMap((shape) =>
      types.flatMap((type) => qLens.map((qLen) => ({ ...shape, type, qLen, kernel }))),
    ),
  );
}

/** As in `h32_kv8_d128_q1_f16`, with `_tiles` where that kernel was asked for. */
export function caseId({ heads, kvHeads, headDim, qLen, type, kernel }: IsaCase): string {
  return `h${heads}_kv${kvHeads}_d${headDim}_q${qLen}_${type}${kernel === 'auto' ? '' : `_${kernel}`}`;
}

const CASE_ID = /^h(\d+)_kv(\d+)_d(\d+)_q(\d+)_([a-z\d]+?)(?:_(tiles))?$/;

/** The step of such a name. Throws ShapeError for what is none. */
export function caseOf(id: string): IsaCase {
  const [, heads, kvHeads, headDim, qLen, type, kernel = 'auto'] = CASE_ID.exec(id) ?? [];
  if (type === undefined) throw new ShapeError(`case: expected a name as h32_kv8_d128_q1_f16, got "${id}"`);
  return {
    heads: Number(heads),
    kvHeads: Number(kvHeads),
    headDim: Number(headDim),
    qLen: Number(qLen),
    type: type as KvType,
    kernel: kernel as AskedKernel,
  };
}

/** The step's shape. Throws ShapeError. */
export function shapeOf({ heads, kvHeads, headDim, qLen }: IsaCase): GqaShape {
  return checkShape({ batch: 1, numQHeads: heads, numKvHeads: kvHeads, headDim, qLen });
}

/** Reads "32/8/128,71/1/64". Throws ShapeError. */
export function parseShapes(list: string): IsaShape[] {
  return list.split(',').map((text) => {
    const [heads, kvHeads, headDim, ...more] = text.split('/').map(Number);
    checkShape({ numQHeads: heads!, numKvHeads: kvHeads!, headDim: more.length > 0 ? Number.NaN : headDim! });
    return { heads: heads!, kvHeads: kvHeads!, headDim: headDim! };
  });
}

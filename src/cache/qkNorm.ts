// qkNorm.ts: the weights of a layer's norm of its queries and keys, checked and packed.
import { ShapeError } from '../device/errors.ts';
import { checkFinite, checkOptions, describe, isObject, type Known } from '../device/options.ts';

/**
 * RMS norm of each head's row before it is turned: x / sqrt(mean(x²) + eps) * weight. Where a model multiplies by 1 + weight
 * (Gemma), add the 1.
 */
export interface QkNorm {
  /** Weights of keys, finite f32 [D]. */
  readonly k: ArrayLike<number>;
  /** Weights of queries, finite f32 [D]; exactly where an append has queries. */
  readonly q?: ArrayLike<number>;
  /** From 1e-12 to 1. Default 1e-6. */
  readonly eps?: number;
}

const QK_NORM = { k: true, q: true, eps: true } satisfies Known<QkNorm>;

/** From smaller ones on, squares that f32 flushes to zero would count. */
const MIN_EPS = 1e-12;

/** The words of lib norm_rms' binding. Throws ShapeError for what is no norm of such rows. */
export function normWords(
  where: string,
  norm: QkNorm,
  headDim: number,
  queries: boolean,
): Uint32Array<ArrayBuffer> {
  checkOptions(where, norm, QK_NORM);
  const { k, q, eps = 1e-6 } = norm;
  checkFinite(`${where}: eps`, eps);
  if (eps < MIN_EPS || eps > 1) {
    throw new ShapeError(`${where}: eps: expected a number from ${MIN_EPS} to 1, got ${eps}`);
  }
  if ((q !== undefined) !== queries) {
    const wanted = queries ? 'weights, as the append has queries' : 'none, as the append has no queries';
    throw new ShapeError(`${where}: q: expected ${wanted}, got ${describe(q)}`);
  }
  const words = new Float32Array(4 + 2 * headDim);
  words[0] = eps;
  putWeights(`${where}: k`, k, words.subarray(4, 4 + headDim));
  if (q !== undefined) putWeights(`${where}: q`, q, words.subarray(4 + headDim));
  return new Uint32Array(words.buffer);
}

function putWeights(where: string, weights: ArrayLike<number>, to: Float32Array): void {
  if (!isObject(weights) || weights.length !== to.length) {
    const got = isObject(weights) && typeof weights.length === 'number' ? weights.length : describe(weights);
    throw new ShapeError(`${where}: expected ${to.length} numbers, got ${got}`);
  }
  for (let d = 0; d < to.length; d++) {
    to[d] = weights[d]!;
    checkFinite(`${where}[${d}]`, to[d]!);
  }
}

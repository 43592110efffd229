// product.ts: twin of shaders/model/product.wgsl: rows, normalised or not, times a matrix, and what becomes of the sums.
import type { Activation, NormKind } from '../../src/kernels/model/product.ts';
import { ACTIVATIONS } from '../../src/models/reference/activations.ts';

/** Rows [rows, width] times one matrix [outputs, width], or two: a gate and what it opens. */
export interface ProductProblem {
  readonly rows: number;
  readonly width: number;
  readonly outputs: number;
  /** An element of a row. */
  readonly x: (row: number, i: number) => number;
  /** The weight of an input to an output, for each matrix. */
  readonly weights: readonly ((output: number, i: number) => number)[];
  readonly norm?: NormKind | undefined;
  /** [width], of the norm. */
  readonly gains: ArrayLike<number>;
  readonly eps: number;
  readonly scale: number;
  /** The bias of an output of a matrix. */
  readonly bias?: ((output: number, matrix: number) => number) | undefined;
  readonly results: 'sums' | 'capped' | Activation;
  readonly softcap: number;
}

/** [rows, outputs]: what is written, or added. */
export function product(p: ProductProblem): Float64Array {
  const out = new Float64Array(p.rows * p.outputs);
  for (let row = 0; row < p.rows; row++) {
    const inputs = normalised(
      Array.from({ length: p.width }, (_, i) => p.x(row, i)),
      p,
    );
    for (let output = 0; output < p.outputs; output++) {
      const [first, second] = p.weights.map((weight, matrix) => {
        const sum = inputs.reduce((all, input, i) => all + input * weight(output, i), 0);
        return sum * p.scale + (p.bias?.(output, matrix) ?? 0);
      });
      out[row * p.outputs + output] = resultOf(p, first!) * (second ?? 1);
    }
  }
  return out;
}

type Normed = Pick<ProductProblem, 'norm' | 'gains' | 'eps'>;

/** RMSNorm (Zhang and Sennrich 2019), or LayerNorm (Ba et al. 2016) without the bias at its end. */
export function normalised(row: readonly number[], { norm, gains, eps }: Normed): number[] {
  if (norm === undefined) return [...row];
  const mean = norm === 'layer' ? row.reduce((sum, x) => sum + x, 0) / row.length : 0;
  const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / row.length;
  return row.map((x, i) => ((x - mean) / Math.sqrt(variance + eps)) * gains[i]!);
}

function resultOf({ results, softcap }: ProductProblem, x: number): number {
  if (results === 'sums') return x;
  if (results === 'capped') return softcap * Math.tanh(x / softcap);
  return ACTIVATIONS[results](x);
}

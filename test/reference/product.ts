// product.ts: twin of shaders/model/product.wgsl: rows, normalised or not, times a matrix, and what becomes of the sums.
import type { Activation, NormKind } from '../../src/kernels/model/product.ts';

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

/** As papers have them: SiLU and GELU (Hendrycks and Gimpel 2016), the square of ReLU (So et al. 2021). */
export const ACTIVATIONS: Readonly<Record<Activation, (x: number) => number>> = {
  silu: (x) => x / (1 + Math.exp(-x)),
  gelu_erf: (x) => (x * (1 + erf(x / Math.SQRT2))) / 2,
  gelu_tanh: (x) => (x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))) / 2,
  relu: (x) => Math.max(0, x),
  relu_squared: (x) => Math.max(0, x) ** 2,
};

/** The error function: 2 / sqrt(pi) * exp(-x^2) * sum of 2^n x^(2n + 1) / (1 * 3 * ... * (2n + 1)), all of one sign. */
export function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let [sum, term] = [x, x];
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

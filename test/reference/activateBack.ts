// activateBack.ts: twin of shaders/train/activate_back.wgsl: gradients of what an activation, or a gate's, was taken of.
import type { Activation } from '../../src/kernels/model/product.ts';
import { ACTIVATIONS, erf } from '../../src/models/reference/activations.ts';
import type { ActivateForm } from './activate.ts';

const logistic = (x: number) => 1 / (1 + Math.exp(-x));

/** Derivatives, each by its own formula. ReLU's at 0 is 0. */
export const SLOPES: Readonly<Record<Activation, (x: number) => number>> = {
  silu: (x) => logistic(x) * (1 + x * logistic(-x)),
  gelu_erf: (x) => (1 + erf(x / Math.SQRT2)) / 2 + (x * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI),
  gelu_tanh: (x) => {
    const k = Math.sqrt(2 / Math.PI);
    const u = k * (x + 0.044715 * x ** 3);
    return logistic(2 * u) + ((x / 2) * k * (1 + 3 * 0.044715 * x * x)) / Math.cosh(u) ** 2;
  },
  relu: (x) => (x > 0 ? 1 : 0),
  relu_squared: (x) => 2 * Math.max(0, x),
};

/** [rows, as wide as they are]. */
export function activateBack(
  rows: readonly (readonly number[])[],
  dY: readonly (readonly number[])[],
  { activation, gated }: ActivateForm,
): number[][] {
  const [act, slope] = [ACTIVATIONS[activation], SLOPES[activation]];
  return rows.map((row, r) => {
    const d = dY[r]!;
    if (!gated) return row.map((x, i) => d[i]! * slope(x));
    const [gates, ups] = [row.slice(0, d.length), row.slice(d.length)];
    return [...gates.map((gate, i) => d[i]! * ups[i]! * slope(gate)), ...gates.map((g, i) => d[i]! * act(g))];
  });
}

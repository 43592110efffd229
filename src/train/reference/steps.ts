// steps.ts: steps of a model on rows, each with its backward pass: sums, products, norms, turns, activations.
import type { AttentionSpec, NormSpec, ProjectionSpec } from '../../models/decoder/spec.ts';
import type { Activation } from '../../kernels/model/product.ts';
import { ACTIVATIONS, erf } from '../../models/reference/activations.ts';
import { FLOAT64 } from '../../models/reference/arithmetic.ts';
import { turn } from '../../models/reference/steps.ts';
import type { Parameters } from './parameters.ts';

/** Rows that a step came to. `back` takes the loss's gradient by them to that by its input, and adds to those of parameters. */
export interface Result {
  readonly y: Float64Array;
  readonly back: (dY: Float64Array) => Float64Array;
}

export type Step = (x: Float64Array) => Result;

/** One step after the other. */
export function inTurn(...steps: readonly Step[]): Step {
  return (x) => {
    const results: Result[] = [];
    for (const step of steps) results.push(step(results.at(-1)?.y ?? x));
    return {
      y: results.at(-1)?.y ?? x,
      back: (dY) => results.reduceRight((gradient, { back }) => back(gradient), dY),
    };
  };
}

/** The sum of what two steps make of the same rows. */
export function sumOf(first: Step, second: Step): Step {
  return (x) => {
    const [a, b] = [first(x), second(x)];
    return { y: added(a.y, b.y), back: (dY) => added(a.back(dY), b.back(dY)) };
  };
}

/** x + step(x). */
export const residual = (step: Step): Step => sumOf((x) => ({ y: x, back: (dY) => dY }), step);

/** Rows added element by element. */
export function added(first: Float64Array, ...others: readonly Float64Array[]): Float64Array {
  return first.map((x, i) => others.reduce((sum, other) => sum + other[i]!, x));
}

/** y = x W^T + bias. dX = dY W, dW = dY^T X, and the bias's gradient is the sum of dY over rows. */
export function project(parameters: Parameters, spec: ProjectionSpec): Step {
  const { outputs, rowOf, bias } = spec;
  const inputs = parameters.inputs(spec);
  const weights = parameters.matrix(spec);
  return (x) => {
    const rows = x.length / inputs;
    const y = new Float64Array(rows * outputs);
    for (let row = 0; row < rows; row++) {
      for (let output = 0; output < outputs; output++) {
        let sum = bias === undefined ? 0 : parameters.values(bias)[rowOf(output)]!;
        for (let i = 0; i < inputs; i++) sum += x[row * inputs + i]! * weights[output * inputs + i]!;
        y[row * outputs + output] = sum;
      }
    }
    const back = (dY: Float64Array) => {
      const [dX, dWeights] = [new Float64Array(x.length), new Float64Array(weights.length)];
      for (let row = 0; row < rows; row++) {
        for (let output = 0; output < outputs; output++) {
          const d = dY[row * outputs + output]!;
          if (bias !== undefined) parameters.gradient(bias)[rowOf(output)]! += d;
          for (let i = 0; i < inputs; i++) {
            dX[row * inputs + i]! += d * weights[output * inputs + i]!;
            dWeights[output * inputs + i]! += d * x[row * inputs + i]!;
          }
        }
      }
      parameters.addToMatrix(spec, dWeights);
      return dX;
    };
    return { y, back };
  };
}

/** RMSNorm or LayerNorm of rows of `width`: y = n g + bias, where n = (x - mean) / root and g the gains. */
export function norm(parameters: Parameters, width: number, spec: NormSpec): Step {
  const { kind, weight, bias, fromOne, eps } = spec;
  const gains = new Float64Array(width).map(
    (_, i) => (weight === undefined ? 1 : parameters.values(weight)[i]!) + (fromOne ? 1 : 0),
  );
  const mean = (row: Float64Array) => row.reduce((sum, x) => sum + x, 0) / width;
  return (x) => {
    const [y, normed] = [new Float64Array(x.length), new Float64Array(x.length)];
    const roots: number[] = [];
    for (let at = 0; at < x.length; at += width) {
      const row = x.subarray(at, at + width);
      const centre = kind === 'layer' ? mean(row) : 0;
      const root = Math.sqrt(mean(row.map((value) => (value - centre) ** 2)) + eps);
      roots.push(root);
      for (let i = 0; i < width; i++) {
        normed[at + i] = (row[i]! - centre) / root;
        y[at + i] = normed[at + i]! * gains[i]! + (bias === undefined ? 0 : parameters.values(bias)[i]!);
      }
    }
    const back = (dY: Float64Array) => {
      const dX = new Float64Array(x.length);
      for (let at = 0; at < x.length; at += width) {
        const n = normed.subarray(at, at + width);
        const dN = gains.map((gain, i) => dY[at + i]! * gain);
        const [all, along] = [kind === 'layer' ? mean(dN) : 0, mean(dN.map((d, i) => d * n[i]!))];
        for (let i = 0; i < width; i++) {
          dX[at + i] = (dN[i]! - all - n[i]! * along) / roots[at / width]!;
          if (weight !== undefined) parameters.gradient(weight)[i]! += dY[at + i]! * n[i]!;
          if (bias !== undefined) parameters.gradient(bias)[i]! += dY[at + i]!;
        }
      }
      return dX;
    };
    return { y, back };
  };
}

/** Turns the pairs of heads [T, heads, D] by position. The gradient is turned the other way, by the transpose of a turn. */
export function turned(heads: number, attention: AttentionSpec): Step {
  const turn64 = (rows: Float64Array, spec: AttentionSpec) => {
    const values = rows.slice();
    turn(values, heads, spec, FLOAT64, rows.length / (heads * attention.headDim));
    return values;
  };
  return (x) => ({
    y: turn64(x, attention),
    back: (dY) => turn64(dY, { ...attention, turnsBack: !attention.turnsBack }),
  });
}

/** x * factor. */
export const scaled =
  (factor: number): Step =>
  (x) => ({ y: x.map((value) => value * factor), back: (dY) => dY.map((d) => d * factor) });

/** cap * tanh(x / cap), or x without a cap. */
export function softCapped(cap: number | undefined): Step {
  return (x) => {
    if (cap === undefined) return { y: x, back: (dY) => dY };
    const y = x.map((value) => cap * Math.tanh(value / cap));
    return { y, back: (dY) => dY.map((d, i) => d * (1 - (y[i]! / cap) ** 2)) };
  };
}

/** act(x), element by element. */
export const activated =
  (activation: Activation): Step =>
  (x) => ({
    y: x.map(ACTIVATIONS[activation]),
    back: (dY) => dY.map((d, i) => d * SLOPES[activation](x[i]!)),
  });

/** The activations' derivatives. */
const SLOPES: Readonly<Record<Activation, (x: number) => number>> = {
  silu: (x) => {
    const open = 1 / (1 + Math.exp(-x));
    return open * (1 + x * (1 - open));
  },
  gelu_erf: (x) => (1 + erf(x / Math.SQRT2)) / 2 + (x * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI),
  gelu_tanh: (x) => {
    const root = Math.sqrt(2 / Math.PI);
    const t = Math.tanh(root * (x + 0.044715 * x ** 3));
    return (1 + t) / 2 + (x / 2) * (1 - t * t) * root * (1 + 3 * 0.044715 * x * x);
  },
  relu: (x) => (x > 0 ? 1 : 0),
  relu_squared: (x) => 2 * Math.max(0, x),
};

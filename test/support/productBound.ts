// productBound.ts: how far the sums of a product in f32, and what becomes of them, may be from float64.
//
// A sum of K products is within about K * 2^-24 of the sum of their magnitudes; a norm in front makes inputs and scale rounded numbers
// themselves. Results are carried through the operations of rounding.ts, in the order that product.wgsl has.
import type { Activation } from '../../src/kernels/model/product.ts';
import { erf } from '../../src/models/reference/activations.ts';
import type { ProductProblem } from '../reference/product.ts';
import {
  exactly,
  expOf,
  inverseRoot,
  minus,
  over,
  plus,
  sumOfProducts,
  tanhOf,
  times,
  type Rounded,
} from './rounding.ts';

/** [rows * outputs] numbers with their bounds. */
export function boundedProduct(p: ProductProblem): Rounded[] {
  return Array.from({ length: p.rows }, (_, row) => {
    const { inputs, scale } = normedRow(p, row);
    return Array.from({ length: p.outputs }, (__, output) => {
      const [first, second] = p.weights.map((weight, matrix) => {
        const scaled = times(
          sumOfProducts(inputs, (i) => exactly(weight(output, i))),
          scale,
        );
        return p.bias ? plus(scaled, exactly(p.bias(output, matrix))) : scaled;
      });
      const result = resultOf(p, first!);
      return second ? times(result, second) : result;
    });
  }).flat();
}

function normedRow(p: ProductProblem, row: number): { inputs: Rounded[]; scale: Rounded } {
  const x = Array.from({ length: p.width }, (_, i) => exactly(p.x(row, i)));
  const scale = exactly(p.scale);
  if (p.norm === undefined) return { inputs: x, scale };
  const width = exactly(p.width);
  const mean = over(
    sumOfProducts(x, () => exactly(1)),
    width,
  );
  const centred = p.norm === 'layer' ? x.map((each) => minus(each, mean)) : x;
  const squares = over(
    sumOfProducts(centred, (i) => centred[i]!),
    width,
  );
  const norm = inverseRoot(plus(squares, exactly(p.eps)));
  const inputs = centred.map((each, i) => times(each, exactly(p.gains[i]!)));
  return { inputs, scale: times(norm, scale) };
}

function resultOf({ results, softcap }: ProductProblem, x: Rounded): Rounded {
  if (results === 'sums') return x;
  if (results === 'capped') return times(exactly(softcap), tanhOf(over(x, exactly(softcap))));
  return BOUNDED[results](x);
}

const HALF = exactly(0.5);
const ONE = exactly(1);
/** A constant that f32 rounds. */
export const constant = (value: number): Rounded => times(exactly(value), ONE);

const relu = ({ value, error }: Rounded): Rounded => ({ value: Math.max(0, value), error });

/** Activations by the operations of their libs. */
export const BOUNDED: Readonly<Record<Activation, (x: Rounded) => Rounded>> = {
  relu,
  relu_squared: (x) => times(relu(x), relu(x)),
  silu: (x) => {
    // The exponent ends at 80, so that no exp overflows: what is below x * e^-80 is not.
    const falls = expOf({ value: Math.min(-x.value, 80), error: x.error });
    const { value, error } = over(x, plus(ONE, falls));
    return { value, error: error + 1.01 * Math.exp(-80) * Math.abs(x.value) };
  },
  gelu_tanh: (x) => {
    const cube = times(times(times(constant(0.044715), x), x), x);
    const t = tanhOf(times(constant(Math.sqrt(2 / Math.PI)), plus(x, cube)));
    return times(times(HALF, x), plus(ONE, t));
  },
  gelu_erf: (x) => {
    return times(times(HALF, x), plus(ONE, erfOf(times(x, constant(Math.SQRT1_2)))));
  },
};

/** The error function by the approximation of its lib, which is within 1.5e-7; it is no steeper than 2 / sqrt(pi). */
export function erfOf(x: Rounded): Rounded {
  const { error } = approximateErf(exactly(Math.abs(x.value)));
  return { value: erf(x.value), error: 1.5e-7 + error + (2 / Math.sqrt(Math.PI)) * x.error };
}

/** Abramowitz and Stegun 7.1.26, for the roundings of its terms. */
function approximateErf(a: Rounded): Rounded {
  const t = over(ONE, plus(ONE, times(constant(0.3275911), a)));
  let sum = constant(1.061405429);
  for (const each of [-1.453152027, 1.421413741, -0.284496736, 0.254829592])
    sum = plus(constant(each), times(t, sum));
  const falls = expOf(times(minus(exactly(0), a), a));
  return minus(ONE, times(times(t, sum), falls));
}

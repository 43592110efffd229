// matmulCase.ts: a product of matrices for training, of random numbers, run on a device and held against its twin.
import { expect } from 'vitest';
import {
  matmul,
  matmulGrid,
  matmulNumbers,
  type MatmulKind,
  type MatmulSizes,
} from '../../src/kernels/train/matmul.ts';
import type { Grid } from '../../src/kernels/kernel.ts';
import { normals } from '../../src/numbers/random.ts';
import { matmulDirect, matmulElements, type MatmulProblem } from '../reference/matmulDirect.ts';
import { testDevice } from './device.ts';
import { exactly, plus, sumOfProducts, type Rounded } from './rounding.ts';
import { runKernel, unwritten, type Words } from './runKernel.ts';

/** A product to try, in the tiles of a CPU or of a GPU. */
export interface MatmulCase extends MatmulSizes, MatmulKind {
  readonly software: boolean;
  readonly seed?: number;
  /** Default: what matmulGrid gives. */
  readonly grid?: Grid;
}

/** Runs a case; throws where a sum is farther from float64 than its roundings may bring it. Returns y. */
export async function checkMatmul(c: MatmulCase): Promise<Words> {
  const problem = problemOf(c);
  const { a, b, bias, residual, before } = problem;
  const want = matmulDirect(problem);
  const { y } = await runKernel(await testDevice(), {
    kernel: matmul(c, c),
    grid: c.grid ?? matmulGrid(c, c, c),
    inputs: { a, b, numbers: matmulNumbers(c), ...(bias && { bias }), ...(residual && { residual }) },
    outputs: { y: before ?? unwritten(want.length) },
  });
  const bounds = boundedMatmul(problem);
  const off = want.findIndex((value, at) => !(Math.abs(y![at]! - value) <= bounds[at]!.error));
  const where = off < 0 ? '' : `y[${off}]: ${y![off]} for ${want[off]}, within ${bounds[off]!.error}`;
  expect(where, JSON.stringify(c)).toBe('');
  return y!;
}

type Floats = Float32Array<ArrayBuffer>;

interface RandomProblem extends MatmulProblem {
  readonly a: Floats;
  readonly b: Floats;
  readonly bias?: Floats;
  readonly residual?: Floats;
  readonly before?: Floats;
}

function problemOf(c: MatmulCase): RandomProblem {
  const { form, rows, inputs, outputs, parts = 1, seed = 1 } = c;
  const activations = rows * inputs;
  const gradients = rows * outputs;
  const weights = outputs * inputs;
  const [a, b, y] = {
    outputs: [activations, weights, gradients],
    inputs: [gradients, weights, activations],
    weights: [gradients, activations, parts * weights],
  }[form] as [number, number, number];
  const random = (salt: number, count: number) => normals(10 * seed + salt, count);
  return {
    form,
    sizes: c,
    a: random(1, a),
    b: random(2, b),
    ...(c.bias && { bias: random(3, form === 'outputs' ? outputs : inputs) }),
    ...(c.residual && { residual: random(4, y) }),
    ...(c.accumulates && { before: random(5, y) }),
  };
}

/** Sums in any order, then what is added, in the order of the kernel. */
function boundedMatmul(problem: MatmulProblem): Rounded[] {
  const { a, b, bias, residual, before } = problem;
  return matmulElements(problem).map(({ column, terms }, at) => {
    const sum = sumOfProducts(
      terms.map((term) => exactly(a[term.a]!)),
      (i) => exactly(b[terms[i]!.b]!),
    );
    const added = [bias?.[column], residual?.[at], before?.[at]];
    return added.reduce<Rounded>((all, each) => (each === undefined ? all : plus(all, exactly(each))), sum);
  });
}

// matmulDirect.ts: twin of shaders/train/matmul_direct.wgsl, in float64: the products of matrices that training a layer takes.
import type { MatmulForm, MatmulSizes } from '../../src/kernels/train/matmul.ts';

/** What is multiplied and added, as the kernel binds it. */
export interface MatmulProblem {
  readonly form: MatmulForm;
  readonly sizes: MatmulSizes;
  readonly a: ArrayLike<number>;
  readonly b: ArrayLike<number>;
  readonly bias?: ArrayLike<number> | undefined;
  readonly residual?: ArrayLike<number> | undefined;
  /** What y held before, where the product is added to it. */
  readonly before?: ArrayLike<number> | undefined;
}

/** An element of y by its terms: places in a and b of the factors of each. */
export interface MatmulElement {
  readonly column: number;
  readonly terms: readonly { readonly a: number; readonly b: number }[];
}

/** The elements of y, in its order. */
export function matmulElements({ form, sizes }: Pick<MatmulProblem, 'form' | 'sizes'>): MatmulElement[] {
  const { rows, inputs, outputs, parts = 1 } = sizes;
  const elements = (
    count: number,
    columns: number,
    terms: (row: number, column: number) => MatmulElement['terms'],
  ) =>
    Array.from({ length: count * columns }, (_, at) => {
      const column = at % columns;
      return { column, terms: terms(Math.floor(at / columns), column) };
    });
  const sum = (from: number, to: number, term: (k: number) => { a: number; b: number }) =>
    Array.from({ length: Math.max(0, to - from) }, (_, k) => term(from + k));
  if (form === 'outputs')
    return elements(rows, outputs, (row, output) =>
      sum(0, inputs, (k) => ({ a: row * inputs + k, b: output * inputs + k })),
    );
  if (form === 'inputs')
    return elements(rows, inputs, (row, input) =>
      sum(0, outputs, (k) => ({ a: row * outputs + k, b: k * inputs + input })),
    );
  const share = Math.ceil(rows / parts);
  return Array.from({ length: parts }, (_, part) =>
    elements(outputs, inputs, (output, input) =>
      sum(part * share, Math.min(rows, (part + 1) * share), (k) => ({
        a: k * outputs + output,
        b: k * inputs + input,
      })),
    ),
  ).flat();
}

/** y. */
export function matmulDirect(problem: MatmulProblem): number[] {
  const { a, b, bias, residual, before } = problem;
  return matmulElements(problem).map(({ column, terms }, at) => {
    const sum = terms.reduce((total, term) => total + a[term.a]! * b[term.b]!, 0);
    return sum + (bias?.[column] ?? 0) + (residual?.[at] ?? 0) + (before?.[at] ?? 0);
  });
}

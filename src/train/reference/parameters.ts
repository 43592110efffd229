// parameters.ts: a model's tensors in float64, and the gradients that are added up beside them.
import type { ProjectionSpec } from '../../models/decoder/spec.ts';

/** A tensor, row by row. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly values: Float64Array;
}

/** Tensors by the names that a ModelSpec has for them. */
export type Tensors = ReadonlyMap<string, Tensor>;

type Matrix = Pick<ProjectionSpec, 'tensor' | 'transposed' | 'outputs' | 'rowOf'>;

/** Parameters and their gradients, which are 0 at first. */
export class Parameters {
  /** As large as the tensors. */
  readonly gradients: ReadonlyMap<string, Float64Array>;
  readonly #tensors: Tensors;

  constructor(tensors: Tensors) {
    this.#tensors = tensors;
    this.gradients = new Map(
      [...tensors].map(([name, { values }]) => [name, new Float64Array(values.length)]),
    );
  }

  values(name: string): Float64Array {
    return this.#tensor(name).values;
  }

  gradient(name: string): Float64Array {
    this.#tensor(name);
    return this.gradients.get(name)!;
  }

  /** A projection's weights, [outputs, inputs], in the order of its outputs. */
  matrix(matrix: Matrix): Float64Array {
    const values = this.values(matrix.tensor);
    return this.#places(matrix).map((place) => values[place]!);
  }

  /** Adds a gradient [outputs, inputs] to that of the tensor in which the projection lies. */
  addToMatrix(matrix: Matrix, gradient: Float64Array): void {
    const sum = this.gradient(matrix.tensor);
    this.#places(matrix).forEach((place, i) => (sum[place]! += gradient[i]!));
  }

  /** Inputs of a projection. */
  inputs({ tensor, transposed }: Matrix): number {
    return this.#tensor(tensor).shape[transposed ? 0 : 1]!;
  }

  /** Where in its tensor each element of a projection [outputs, inputs] is. */
  #places(matrix: Matrix): Float64Array {
    const { tensor, transposed, outputs, rowOf } = matrix;
    const inputs = this.inputs(matrix);
    const columns = this.#tensor(tensor).shape[1]!;
    return Float64Array.from({ length: outputs * inputs }, (_, at) => {
      const [row, input] = [rowOf(Math.floor(at / inputs)), at % inputs];
      return transposed ? input * columns + row : row * columns + input;
    });
  }

  #tensor(name: string): Tensor {
    const found = this.#tensors.get(name);
    if (!found)
      throw new Error(`tensor "${name}" is missing: there are ${[...this.#tensors.keys()].join(', ')}`);
    return found;
  }
}

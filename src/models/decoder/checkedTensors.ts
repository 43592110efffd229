// checkedTensors.ts: tensors of a model, read and found to be of the shapes that it needs.
import { ShapeError } from '../../device/errors.ts';
import type { WeightType } from '../../kernels/model/weightsLib.ts';
import { codesOf, typeOfDtypes, valuesOf, type Piece } from './packing.ts';
import type { TensorReader } from './spec.ts';

/** Reads tensors by name. */
export class CheckedTensors {
  readonly #reader: TensorReader;

  constructor(reader: TensorReader) {
    this.#reader = reader;
  }

  /** Throws ShapeError for one that is missing. */
  find(name: string): { readonly dtype: string; readonly shape: readonly number[] } {
    const found = this.#reader.tensor(name);
    if (!found) throw new ShapeError(`model: tensor "${name}" is missing`);
    return found;
  }

  /** A matrix of so many inputs as codes of a type; `transposed`: it lies [in, out]. */
  async piece(tensor: string, transposed: boolean, width: number, type: WeightType): Promise<Piece> {
    const { dtype, shape } = this.find(tensor);
    const [rows, columns] = transposed ? [shape[1], shape[0]] : shape;
    if (shape.length !== 2 || columns !== width) {
      throw new ShapeError(
        `model: tensor "${tensor}": expected a matrix of ${width} inputs, got [${shape.join(', ')}]`,
      );
    }
    const codes = codesOf(dtype, await this.#reader.read(tensor), type);
    return transposed
      ? { codes, rowStride: 1, columnStride: rows! }
      : { codes, rowStride: width, columnStride: 1 };
  }

  /** A small tensor's values. Throws ShapeError for another shape. */
  async values(name: string, expected?: readonly number[]): Promise<Float32Array> {
    const { dtype, shape } = this.find(name);
    if (expected && shape.join() !== expected.join()) {
      throw new ShapeError(
        `model: tensor "${name}": expected [${expected.join(', ')}], got [${shape.join(', ')}]`,
      );
    }
    const type = typeOfDtypes([dtype]);
    return valuesOf(codesOf(dtype, await this.#reader.read(name), type), type);
  }
}

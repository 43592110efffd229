// weights.ts: a checkpoint's tensors as numbers, rounded as a device stores them: one tensor in memory at a time.
import { ShapeError } from '../../device/errors.ts';
import { SCALE_INPUTS, type WeightType } from '../../kernels/model/weightsLib.ts';
import { bf16Bits, bf16Value, bf16Values, f16Bits, f16Value, f16Values } from '../../numbers/halves.ts';
import type { ProjectionSpec, TensorReader } from '../decoder/spec.ts';

/** A matrix [outputs, inputs]. */
export interface Weights {
  readonly outputs: number;
  readonly inputs: number;
  readonly values: Float32Array;
}

type Matrix = Pick<ProjectionSpec, 'tensor' | 'transposed' | 'outputs' | 'rowOf'>;

/** Reads tensors; matrices are rounded to `type`, or stay as they are. */
export class WeightReader {
  readonly #reader: TensorReader;
  readonly #type: WeightType | undefined;

  constructor(reader: TensorReader, type: WeightType | undefined) {
    this.#reader = reader;
    this.#type = type;
  }

  /** A projection's rows in the order of its outputs. `placeOf`: where an input lies among those that a device stores. */
  async matrix(
    { tensor, transposed, outputs, rowOf }: Matrix,
    placeOf: (input: number) => number = (input) => input,
  ): Promise<Weights> {
    const { codes, toFloats } = await this.#codes(tensor);
    const [rows, inputs] = this.#sizes(tensor, transposed);
    // Rows are converted one by one: a tensor of halves has no copy of floats beside the matrix.
    const columns = transposed ? toFloats(codes) : undefined;
    const values = new Float32Array(outputs * inputs);
    for (let output = 0; output < outputs; output++) {
      const row = rowOf(output);
      const at = output * inputs;
      if (!columns) values.set(toFloats(codes.subarray(row * inputs, (row + 1) * inputs)), at);
      else for (let i = 0; i < inputs; i++) values[at + i] = columns[i * rows + row]!;
      roundRow(values.subarray(at, at + inputs), this.#type, placeOf);
    }
    return { outputs, inputs, values };
  }

  /** A tensor's numbers, as the checkpoint has them. Throws ShapeError for one that is missing or of a type that no model has. */
  async vector(name: string): Promise<Float32Array> {
    const { codes, toFloats } = await this.#codes(name);
    return toFloats(codes);
  }

  #sizes(tensor: string, transposed: boolean): [rows: number, inputs: number] {
    const [first = 0, second = 0] = this.#reader.tensor(tensor)?.shape ?? [];
    return transposed ? [second, first] : [first, second];
  }

  async #codes(name: string): Promise<Codes> {
    const dtype = this.#reader.tensor(name)?.dtype ?? 'none of that name';
    const toFloats = TO_FLOATS[dtype];
    if (!toFloats) throw new ShapeError(`tensor "${name}": expected F32, F16 or BF16, got ${dtype}`);
    const bytes = await this.#reader.read(name);
    const { buffer, byteOffset } = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
    const codes =
      dtype === 'F32'
        ? new Float32Array(buffer, byteOffset, bytes.byteLength / 4)
        : new Uint16Array(buffer, byteOffset, bytes.byteLength / 2);
    return { codes, toFloats };
  }
}

/** A tensor as it is stored, and how parts of it become numbers. */
interface Codes {
  readonly codes: Float32Array | Uint16Array;
  readonly toFloats: (codes: Float32Array | Uint16Array) => Float32Array;
}

const TO_FLOATS: Readonly<Record<string, Codes['toFloats']>> = {
  F32: (codes) => codes as Float32Array,
  F16: f16Values,
  BF16: bf16Values,
};

const HALVES: Partial<Record<WeightType, (x: number) => number>> = {
  f16: (x) => f16Value(f16Bits(x)),
  bf16: (x) => bf16Value(bf16Bits(x)),
};

/** Rounds an output's row in place. */
function roundRow(row: Float32Array, type: WeightType | undefined, placeOf: (input: number) => number): void {
  if (type === undefined || type === 'f32') return;
  if (type !== 'int8' && type !== 'int4') {
    const round = HALVES[type]!;
    for (let i = 0; i < row.length; i++) row[i] = round(row[i]!);
    return;
  }
  // Inputs come in the order of their places: those of a group follow each other.
  for (let first = 0, end = 0; first < row.length; first = end) {
    const group = Math.floor(placeOf(first) / SCALE_INPUTS);
    while (end < row.length && Math.floor(placeOf(end) / SCALE_INPUTS) === group) end++;
    roundGroup(row.subarray(first, end), type);
  }
}

/** Steps of a scale: the largest element is 127 of them in int8, and -8 in int4, whose scale may be negative. */
function roundGroup(group: Float32Array, type: 'int8' | 'int4'): void {
  const largest = group.reduce((most, x) => (Math.abs(x) > Math.abs(most) ? x : most), 0);
  const [least, most] = type === 'int8' ? [-127, 127] : [-8, 7];
  const scale = Math.fround(type === 'int8' ? Math.abs(largest) / 127 : largest / -8);
  if (scale === 0) return;
  for (let i = 0; i < group.length; i++) {
    group[i] = Math.min(most, Math.max(least, Math.round(group[i]! / scale))) * scale;
  }
}

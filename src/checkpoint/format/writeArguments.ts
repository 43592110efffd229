// writeArguments.ts: checks of what callers give to be written as a safetensors file.
import { ShapeError } from '../../device/errors.ts';
import { checkOneOf, checkString, checkText, checkWhole, describe, isRecord } from '../../device/options.ts';
import { DTYPE_BYTES, type SafetensorsDtype, type TensorSpec } from './safetensors.ts';

interface Tensor extends TensorSpec {
  readonly data: ArrayBufferView;
}

const DTYPES = Object.keys(DTYPE_BYTES) as SafetensorsDtype[];

/** Throws ShapeError unless these are a path, tensors and texts by name. What they must be to each other is not looked at. */
export function checkWrite(
  path: string,
  tensors: readonly Tensor[],
  metadata: Readonly<Record<string, string>>,
): void {
  checkString('writeSafetensors: path', path);
  if (!Array.isArray(tensors)) {
    throw new ShapeError(`writeSafetensors: tensors: expected a list of tensors, got ${describe(tensors)}`);
  }
  for (let i = 0; i < tensors.length; i++)
    checkTensor(`writeSafetensors: tensors[${i}]`, tensors[i] as Tensor);
  if (!isRecord(metadata)) {
    throw new ShapeError(
      `writeSafetensors: metadata: expected an object of strings, got ${describe(metadata)}`,
    );
  }
  for (const [key, text] of Object.entries(metadata)) checkText(`writeSafetensors: metadata.${key}`, text);
}

function checkTensor(where: string, tensor: Tensor): void {
  if (!isRecord(tensor)) {
    throw new ShapeError(`${where}: expected { name, dtype, shape, data }, got ${describe(tensor)}`);
  }
  const { name, dtype, shape, data } = tensor;
  checkText(`${where}: name`, name);
  checkOneOf(`${where}: dtype`, dtype, DTYPES);
  if (!Array.isArray(shape)) {
    throw new ShapeError(`${where}: shape: expected a list of sizes, got ${describe(shape)}`);
  }
  for (let i = 0; i < shape.length; i++) {
    checkWhole(`${where}: shape[${i}]`, shape[i] as number, 0, Number.MAX_SAFE_INTEGER);
  }
  if (!ArrayBuffer.isView(data)) {
    throw new ShapeError(`${where}: data: expected a typed array, got ${describe(data)}`);
  }
}

// stored.ts: the host's side of a layer's stored bytes: which arrays can be them.
import { checkData, type StorageData } from '../device/buffers.ts';
import { ShapeError } from '../device/errors.ts';
import type { KvType } from '../numbers/elements.ts';

/** Arrays whose numbers would have to be converted to be stored, and the one type that stores them as they are. */
const STORED_AS_IT_IS: Readonly<Record<string, KvType>> = { Float32Array: 'f32', Float16Array: 'f16' };

/** Throws ShapeError unless `data` can be stored bytes of the element type, and has as many as asked for. */
export function checkStored(what: string, data: StorageData, type: KvType, bytes: number): void {
  checkData(what, data);
  const kind = data[Symbol.toStringTag];
  const fits = STORED_AS_IT_IS[kind];
  if (fits !== undefined && fits !== type) {
    throw new ShapeError(`${what}: expected stored ${type} elements (encodeRows gives them), got a ${kind}`);
  }
  if (data.byteLength !== bytes)
    throw new ShapeError(`${what}: expected ${bytes} bytes, got ${data.byteLength}`);
}

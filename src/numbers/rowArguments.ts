// rowArguments.ts: checks of what callers give to encodeRows and decodeRows.
import { ShapeError } from '../device/errors.ts';
import { checkOneOf, checkWhole, describe, isObject } from '../device/options.ts';
import { ELEMENT_FORMATS, KV_TYPES, WORD_BYTES, type RowsLayout } from './elements.ts';

/** Values of K or V on the host. Other typed arrays may hold bits of halves, which are no values. */
export type RowValues = Float32Array | readonly number[];

/** Throws ShapeError unless such rows can be. */
export function checkLayout(where: string, layout: RowsLayout): void {
  if (!isObject(layout) || Array.isArray(layout) || ArrayBuffer.isView(layout)) {
    throw new ShapeError(
      `${where}: layout: expected { type, headDim, heads, capacity }, got ${describe(layout)}`,
    );
  }
  const { type, headDim, heads, capacity } = layout;
  checkOneOf(`${where}: layout.type`, type, KV_TYPES);
  // Rows are whole words; those of int8 and int4 may end within one.
  const unit = Math.min(8, (WORD_BYTES * 8) / ELEMENT_FORMATS[type].bits);
  if (!Number.isSafeInteger(headDim) || headDim < unit || headDim % unit !== 0) {
    throw new ShapeError(
      `${where}: layout.headDim: expected a multiple of ${unit} for ${type}, got ${describe(headDim)}`,
    );
  }
  checkWhole(`${where}: layout.heads`, heads, 1, Number.MAX_SAFE_INTEGER);
  checkWhole(`${where}: layout.capacity`, capacity, 1, Number.MAX_SAFE_INTEGER);
}

/** Throws ShapeError unless these are so many numbers. */
export function checkValues(values: RowValues, count: number): void {
  const isPlain = Array.isArray(values);
  if (!isPlain && tagOf(values) !== 'Float32Array') {
    throw new ShapeError(
      `encodeRows: values: expected a Float32Array or an array of ${count} numbers, got ${describe(values)}`,
    );
  }
  if (values.length !== count) {
    throw new ShapeError(`encodeRows: values: expected ${count} numbers, got ${values.length}`);
  }
  if (!isPlain) return;
  for (let i = 0; i < count; i++) {
    if (typeof values[i] === 'number') continue;
    throw new ShapeError(`encodeRows: values[${i}]: expected a number, got ${describe(values[i])}`);
  }
}

/** Throws ShapeError unless this is a view of so many bytes. */
export function checkBytes(stored: ArrayBufferView, bytes: number): void {
  // No element of a cache has eight bytes: such a view holds something else than its bytes.
  if (!ArrayBuffer.isView(stored) || tagOf(stored).endsWith('64Array')) {
    throw new ShapeError(
      `decodeRows: stored: expected a view of ${bytes} bytes, such as a Uint8Array, got ${describe(stored)}`,
    );
  }
  if (stored.byteLength !== bytes) {
    throw new ShapeError(`decodeRows: stored: expected ${bytes} bytes, got ${stored.byteLength}`);
  }
}

/** The name of a typed array's type, also of one from another realm. */
function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice('[object '.length, -1);
}

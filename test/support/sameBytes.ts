// sameBytes.ts: typed arrays with the same bytes are equal at once; a setup file of all tests.
import { expect } from 'vitest';

function sameBytes(a: unknown, b: unknown): boolean {
  if (!ArrayBuffer.isView(a) || !ArrayBuffer.isView(b)) return false;
  if (a.constructor !== b.constructor || a.byteLength !== b.byteLength) return false;
  const [x, y] = [a, b].map((view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
  return x!.every((byte, i) => byte === y![i]);
}

const ADDED = Symbol.for('gqa-webgpu.same-bytes');

// Element by element, each with its index as a text, equal buffers take longer than the kernels that wrote them. All others
// are compared as ever. Once, though each test file runs its setup.
if (!(ADDED in globalThis)) {
  expect.addEqualityTesters([(a, b) => sameBytes(a, b) || undefined]);
  Object.assign(globalThis, { [ADDED]: true });
}

// sameBytes.test.ts: what `toEqual` and `toStrictEqual` say of typed arrays, with the short cut for equal bytes that all tests have.
import { expect, test } from 'vitest';

test.each<[string, unknown, unknown]>([
  ['bytes', Uint8Array.of(1, 2, 3), Uint8Array.of(1, 2, 3)],
  ['a part of a buffer', Uint8Array.of(1, 2, 3).subarray(1), Uint8Array.of(2, 3)],
  ['NaN', Float32Array.of(NaN, -0), Float32Array.of(NaN, -0)],
  ['NaN of other bits', new Float32Array(Uint32Array.of(0x7fc00001).buffer), Float32Array.of(NaN)],
  ['within objects', { o: [Float64Array.of(1)] }, { o: [Float64Array.of(1)] }],
])('equal: %s', (_, a, b) => {
  expect(a).toEqual(b);
  expect(a).toStrictEqual(b);
});

test.each<[string, unknown, unknown]>([
  ['the last byte', Uint8Array.of(1, 2, 3), Uint8Array.of(1, 2, 4)],
  ['the length', Uint8Array.of(1, 2), Uint8Array.of(1, 2, 0)],
  ['the sign of zero', Float32Array.of(0), Float32Array.of(-0)],
  ['the type', Uint32Array.of(1), Int32Array.of(1)],
  ['within objects', { o: [Float64Array.of(1)] }, { o: [Float64Array.of(2)] }],
])('unequal: %s', (_, a, b) => {
  expect(a).not.toStrictEqual(b);
  expect(a).not.toEqual(b);
});

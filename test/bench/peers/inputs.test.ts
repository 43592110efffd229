// inputs.test.ts: the same data in the layouts that engines want.
import { describe, expect, test } from 'vitest';
import {
  fromElements,
  kvBytes,
  tokensOfStep,
  makeInputs,
  packInputs,
  peerParams,
  toElements,
  tokensFirst,
  unpackInputs,
  withoutNewTokens,
  type PeerShape,
} from '../../../bench/peers/inputs.ts';
import { shapeId } from '../../../bench/peers/peerRow.ts';
import { copiesFor } from '../../../bench/peers/peerWorkload.ts';

// Two KV heads of three tokens of two elements; a value says head, token and element.
const SHAPE: PeerShape = { heads: 4, kvHeads: 2, headDim: 2, depth: 3, type: 'f32' };
const STORED = Float32Array.of(1, 2, 11, 12, 21, 22, 101, 102, 111, 112, 121, 122);

test('tokensFirst is [T, Hkv, D]', () => {
  expect([...tokensFirst(STORED, SHAPE)]).toEqual([1, 2, 101, 102, 11, 12, 111, 112, 21, 22, 121, 122]);
});

test('the last token of every head, and the cache without it', () => {
  expect([...tokensOfStep(STORED, SHAPE)]).toEqual([21, 22, 121, 122]);
  expect([...withoutNewTokens(STORED, SHAPE)]).toEqual([
    1,
    2,
    11,
    12,
    NaN,
    NaN,
    101,
    102,
    111,
    112,
    NaN,
    NaN,
  ]);
});

test('an f16 cache without its last token has NaN in its bits', () => {
  const shape = { ...SHAPE, type: 'f16' } as const;
  const bits = toElements('f16', STORED);
  const values = fromElements(withoutNewTokens(bits, shape));
  expect([...values.subarray(2, 6)]).toEqual([11, 12, NaN, NaN]);
});

test('a prompt: all tokens are new, in the order of engines, and the cache has none', () => {
  const shape = { ...SHAPE, prompt: true };
  expect([...tokensOfStep(STORED, shape)]).toEqual([...tokensFirst(STORED, SHAPE)]);
  expect(withoutNewTokens(STORED, shape).every(Number.isNaN)).toBe(true);
  expect(peerParams(shape)).toMatchObject({ prompt: 3, depth: 3 });
  expect(shapeId(shape)).toBe('h4_kv2_d2_pp3_f32');
  const inputs = makeInputs({ ...shape, headDim: 64 }, 7);
  expect(inputs.q).toHaveLength(3 * 4 * 64);
  expect(unpackInputs(inputs.shape, packInputs(inputs).buffer)).toEqual(inputs);
});

describe.each(['f32', 'f16'] as const)('%s', (type) => {
  const shape: PeerShape = { heads: 4, kvHeads: 2, headDim: 64, depth: 5, type };
  const inputs = makeInputs(shape, 7);

  test('q has values of the type', () => {
    expect(fromElements(toElements(type, inputs.q))).toEqual(inputs.q);
    expect(inputs.q).toHaveLength(4 * 64);
  });

  test('travels as bytes', () => {
    expect(unpackInputs(shape, packInputs(inputs).buffer)).toEqual(inputs);
    expect(() => unpackInputs(shape, new ArrayBuffer(8))).toThrow(/expected \d+ bytes, got 8/);
  });

  test('bytes and name', () => {
    expect(kvBytes(shape)).toBe(2 * 2 * 5 * 64 * (type === 'f32' ? 4 : 2));
    expect(shapeId(shape)).toBe(`h4_kv2_d64_t5_${type}`);
    expect(peerParams(shape)).toEqual({
      heads: 4,
      kvHeads: 2,
      headDim: 64,
      batch: 1,
      depth: 5,
      capacity: 5,
      type,
    });
  });
});

test.each([
  ['as many as exceed the last-level cache', 10, { coldBytes: 95, mostBytes: 1000 }, 10],
  ['one, where one exceeds it', 100, { coldBytes: 95, mostBytes: 1000 }, 1],
  ['as many as memory allows', 10, { coldBytes: 95, mostBytes: 55 }, 5],
  ['one at least', 100, { coldBytes: 95, mostBytes: 55 }, 1],
  ['not thousands', 1, { coldBytes: 1e6, mostBytes: 1e9 }, 1024],
])('copies: %s', (_, bytes, rotation, copies) => {
  expect(copiesFor(bytes, rotation)).toBe(copies);
});

// shape.test.ts: the shape of a decode step: derived counts, and what is refused with which message.
import { describe, expect, test } from 'vitest';
import { ShapeError } from '../../src/device/errors.ts';
import { checkShape, checkWhole } from '../../src/kernels/shape.ts';

const GIVEN = { numQHeads: 32, numKvHeads: 8, headDim: 128 };

describe('checkShape', () => {
  test('fills in defaults and counts rows', () => {
    expect(checkShape(GIVEN)).toEqual({
      batch: 1,
      numQHeads: 32,
      numKvHeads: 8,
      headDim: 128,
      vHeadDim: 128,
      qLen: 1,
      features: {},
      causal: true,
      groupSize: 4,
      rowsPerKvHead: 4,
      rows: 32,
    });
  });

  test('keeps what is given', () => {
    const shape = checkShape({ batch: 3, numQHeads: 71, numKvHeads: 1, headDim: 64, qLen: 5, causal: false });
    expect(shape).toMatchObject({
      batch: 3,
      qLen: 5,
      causal: false,
      groupSize: 71,
      rowsPerKvHead: 355,
      rows: 1065,
    });
  });

  test('refuses what is no part of a shape', () => {
    const check = () => checkShape({ ...GIVEN, capacity: 9 } as typeof GIVEN);
    expect(check).toThrow('shape: there is no option capacity, known are batch, numQHeads,');
  });

  test('accepts every multiple of 8 from 8 to 512 as a head dim, and nothing else', () => {
    const accepts = (options: object) => {
      try {
        return checkShape({ ...GIVEN, ...options }) && true;
      } catch {
        return false;
      }
    };
    for (let dim = -8; dim <= 1024; dim++) {
      const isRight = dim % 8 === 0 && dim >= 8 && dim <= 512;
      expect(accepts({ headDim: dim }), `headDim ${dim}`).toBe(isRight);
      expect(accepts({ vHeadDim: dim }), `vHeadDim ${dim}`).toBe(isRight);
    }
  });

  test('V has the head dim of K unless it has its own', () => {
    expect(checkShape({ ...GIVEN, headDim: 192 })).toMatchObject({ headDim: 192, vHeadDim: 192 });
    const unequal = checkShape({ ...GIVEN, headDim: 192, vHeadDim: 128 });
    expect(unequal).toMatchObject({ headDim: 192, vHeadDim: 128 });
  });

  test.each([
    [{ numQHeads: 30 }, 'shape: numQHeads (30) must be a multiple of numKvHeads (8)'],
    [{ numQHeads: 4 }, 'shape: numQHeads (4) must be a multiple of numKvHeads (8)'],
    [{ headDim: 100 }, 'shape: headDim: expected a multiple of 8 from 8 to 512, got 100'],
    [
      { headDim: '64' as unknown as number },
      'shape: headDim: expected a multiple of 8 from 8 to 512, got "64"',
    ],
    [{ vHeadDim: 100 }, 'shape: vHeadDim: expected a multiple of 8 from 8 to 512, got 100'],
    [{ headDim: NaN }, 'shape: headDim: expected a multiple of 8 from 8 to 512, got NaN'],
    [{ batch: 0 }, 'batch: expected a whole number from 1 to 4096, got 0'],
    [{ batch: 4097 }, 'batch: expected a whole number from 1 to 4096, got 4097'],
    [{ numQHeads: 1032 }, 'numQHeads: expected a whole number from 1 to 1024, got 1032'],
    [{ numKvHeads: 0 }, 'numKvHeads: expected a whole number from 1 to 1024, got 0'],
    [{ numKvHeads: 1.5 }, 'numKvHeads: expected a whole number from 1 to 1024, got 1.5'],
    [{ qLen: 32769 }, 'qLen: expected a whole number from 1 to 32768, got 32769'],
    [{ qLen: 0 }, 'qLen: expected a whole number from 1 to 32768, got 0'],
  ])('refuses %j', (change, message) => {
    const check = () => checkShape({ ...GIVEN, ...change });
    expect(check).toThrow(ShapeError);
    expect(check).toThrow(message);
  });
});

describe('checkWhole', () => {
  test.each([1, 5])('accepts the ends: %i', (value) =>
    expect(() => checkWhole('n', value, 1, 5)).not.toThrow(),
  );

  test.each([
    [0, '0'],
    [6, '6'],
    [2.5, '2.5'],
    [NaN, 'NaN'],
    [Infinity, 'Infinity'],
    ['3', '"3"'],
    [3n, '3n'],
    [null, 'null'],
    [[3], 'an array of 1'],
    [{}, 'an object'],
    [Symbol('three'), 'Symbol(three)'],
    [true, 'true'],
  ])('refuses %o', (value, given) => {
    expect(() => checkWhole('n', value as number, 1, 5)).toThrow(
      `n: expected a whole number from 1 to 5, got ${given}`,
    );
  });
});

// options.test.ts: what is said of options that are not known and of values that are something else.
import { describe, expect, test } from 'vitest';
import { checkOneOf, checkOptions, describe as describeValue, pickKnown } from '../../src/device/options.ts';

const KNOWN = { batch: true, numKvHeads: true, kType: true, vType: true, capacity: true } as const;

describe('checkOptions', () => {
  test('lets known options through, whatever their value, and unknown ones that are undefined', () => {
    checkOptions('cache', {}, KNOWN);
    checkOptions('cache', { batch: 'x', capacity: null, other: undefined }, KNOWN);
  });

  test.each([
    ['dtype', 'kType'],
    ['capcity', 'capacity'],
    ['batchs', 'batch'],
    ['bacth', 'batch'],
    ['num_kv_heads', 'numKvHeads'],
    ['numKVHeads', 'numKvHeads'],
    ['NumKvHead', 'numKvHeads'],
    ['batchSize', 'batch'],
    ['maxSeqLen', 'capacity'],
    ['ktype', 'kType'],
  ])('of %s says that %s was meant', (given, meant) => {
    const message = `cache: there is no option ${given}; did you mean ${meant}?`;
    expect(() => checkOptions('cache', { [given]: 1 }, KNOWN)).toThrow(message);
  });

  test.each(['numQHeads', 'x', 'toString', '__proto__', 'constructor', 'heads'])(
    'of %s says which there are',
    (given) => {
      const options = JSON.parse(`{"${given}": 1}`) as object;
      expect(() => checkOptions('cache', options, KNOWN)).toThrow(
        `cache: there is no option ${given}, known are batch, numKvHeads, kType, vType, capacity`,
      );
    },
  );

  test.each([
    [undefined, 'undefined'],
    [null, 'null'],
    [8, '8'],
    ['f16', '"f16"'],
    [() => 1, 'a function'],
  ])('of %s says that it is no object', (given, named) => {
    expect(() => checkOptions('cache', given as never, KNOWN)).toThrow(
      `cache: expected an object of options, got ${named}`,
    );
  });
});

class Engine {
  readonly name = 'one';
}

test.each([
  ['8', '"8"'],
  [NaN, 'NaN'],
  [-0.5, '-0.5'],
  [8n, '8n'],
  [null, 'null'],
  [undefined, 'undefined'],
  [Symbol('x'), 'Symbol(x)'],
  [[1, 2], 'an array of 2'],
  [{ a: 1 }, 'an object'],
  [Object.create(null), 'an object'],
  [{ constructor: 5 }, 'an object'],
  [new Engine(), 'an Engine'],
  [new Float64Array(2), 'a Float64Array'],
  [new ArrayBuffer(4), 'an ArrayBuffer'],
  [new Map(), 'a Map'],
  [Promise.resolve(), 'a Promise'],
  [Engine, 'a function'],
])('%o is described as %s', (value, expected) => {
  expect(describeValue(value)).toBe(expected);
});

test('checkOneOf tells a number from its digits', () => {
  expect(() => checkOneOf('headDim', 64, [64, 128])).not.toThrow();
  expect(() => checkOneOf<unknown>('headDim', '64', [64, 128])).toThrow(
    'headDim must be one of 64, 128, got "64"',
  );
});

test('options that an object inherits are options: taken where known, refused where not', () => {
  const inherited = Object.create({ kType: 'int8' }) as object;
  checkOptions('cache', inherited, KNOWN);
  expect(pickKnown(inherited, KNOWN)).toMatchObject({ kType: 'int8' });
  expect(() => checkOptions('cache', Object.create({ dtype: 'f16' }) as object, KNOWN)).toThrow(
    'cache: there is no option dtype; did you mean kType?',
  );
});

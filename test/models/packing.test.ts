// packing.test.ts: weights packed into tiles: every element where kernels read it, and rounded within the rule of its type.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  paddedWidth,
  tilesOf,
  type MatrixSizes,
  type WeightType,
} from '../../src/kernels/model/weightsLib.ts';
import {
  codesOf,
  headColumns,
  packTiles,
  plainColumns,
  valuesOf,
  type MatrixSource,
} from '../../src/models/decoder/packing.ts';
import { KV_TYPES } from '../../src/numbers/elements.ts';
import { normals } from '../../src/numbers/random.ts';
import { storedWeight } from '../reference/storedWeights.ts';

/** Half a unit in the last place of f32, relative. */
const HALF_UNIT = 2 ** -24;

/** Outputs of a tile. */
const TILE = 32;

interface Packing {
  readonly type: WeightType;
  readonly width: number;
  readonly outputs: number;
  readonly matrices: 1 | 2;
  readonly values?: Float32Array<ArrayBuffer>;
  /** Whether the tensor has a column for each output. */
  readonly transposed?: boolean;
}

/** A source of random values, and the wanted value of each input of an output, as the type has it before scales. */
function sourceOf({ type, width, outputs, matrices, values, transposed = false }: Packing) {
  const sizes: MatrixSizes = { type, inputs: paddedWidth(width), outputs, matrices, tile: TILE };
  const codes = Array.from({ length: matrices }, (_, m) =>
    codesOf('F32', new Uint8Array((values ?? normals(m + 1, outputs * width)).buffer), type),
  );
  const floats = codes.map((each) => valuesOf(each, type));
  const strides = transposed
    ? { rowStride: 1, columnStride: outputs }
    : { rowStride: width, columnStride: 1 };
  const source: MatrixSource = {
    sizes,
    columns: plainColumns(width, sizes.inputs),
    place: (row, m) => ({ piece: { codes: codes[m]!, ...strides }, row }),
  };
  const wanted = (matrix: number, output: number, input: number) =>
    output < outputs && input < width
      ? floats[matrix]![output * strides.rowStride + input * strides.columnStride]!
      : 0;
  return { sizes, source, wanted };
}

/** How far a stored value may be from the wanted one, whose 32 have such a scale; f32 rounds level * scale once more. */
function allowed(type: WeightType, wanted: number, scale: number): number {
  const rounding = HALF_UNIT * Math.abs(wanted) * 1.001;
  if (type === 'int8') return Math.abs(scale) / 2 + rounding;
  if (type !== 'int4') return 0;
  // The largest of them is level -8, so that the other sign ends a step before its own like: at 7.
  return Math.max(0.5, wanted / scale - 7) * Math.abs(scale) + rounding;
}

function expectPacked(
  p: Packing,
  runs: readonly (readonly [first: number, tiles: number])[] = [[0, Infinity]],
): void {
  const { sizes, source, wanted } = sourceOf(p);
  const wrong: string[] = [];
  for (const [first, most] of runs) {
    const tiles = Math.min(most, tilesOf(sizes) - first);
    const stored = { ...sizes, ...packTiles(source, first, tiles) };
    for (let output = 0; output < tiles * TILE; output++) {
      for (let m = 0; m < p.matrices; m++) {
        for (let i = 0; i < sizes.inputs; i++) {
          const { value, scale } = storedWeight(stored, m, output, i);
          const want = wanted(m, first * TILE + output, i);
          const bound = want === 0 ? 0 : allowed(p.type, want, scale);
          if (!(Math.abs(value - want) <= bound))
            wrong.push(`${m}, ${output}, ${i}: expected ${want} within ${bound}, got ${value}`);
        }
      }
    }
  }
  expect(wrong.slice(0, 5), JSON.stringify({ ...p, values: undefined })).toEqual([]);
}

describe.each(KV_TYPES)('packTiles to %s', (type) => {
  test.each([1, 31, 32, 33, 63, 64, 65, 127])('%i inputs and outputs', (size) => {
    for (const matrices of [1, 2] as const) expectPacked({ type, width: size, outputs: size, matrices });
  });

  test('some of the tiles', () => {
    expectPacked({ type, width: 70, outputs: 100, matrices: 2 }, [
      [0, 1],
      [1, 2],
      [3, 1],
    ]);
  });

  test('tensors that have a column for each output', () =>
    expectPacked({ type, width: 40, outputs: 50, matrices: 1, transposed: true }));

  test('any values', () => {
    const numbers = fc.float32Array({
      minLength: 33 * 3,
      maxLength: 33 * 3,
      noNaN: true,
      min: -60000,
      max: 60000,
    });
    // Scales that are no normal numbers have no half steps of their own.
    const normal = numbers.map((list) => Float32Array.from(list, (x) => (Math.abs(x) < 1e-30 ? 0 : x)));
    fc.assert(
      fc.property(normal, (values) => expectPacked({ type, width: 33, outputs: 3, matrices: 1, values })),
      { numRuns: 50, seed: 6 },
    );
  });

  test('what a vector comes to behind the stored weights', () => {
    const { sizes, source } = sourceOf({ type, width: 70, outputs: 40, matrices: 2 });
    const shift = normals(9, sizes.inputs);
    const packed = packTiles(source, 1, 1, shift);
    for (let output = 0; output < TILE; output++) {
      for (const m of [0, 1]) {
        let sum = 0;
        for (let i = 0; i < sizes.inputs; i++)
          sum += shift[i]! * storedWeight({ ...sizes, ...packed }, m, output, i).value;
        expect(packed.shifted![output * 2 + m]).toBeCloseTo(sum, 9);
      }
    }
  });

  test.each([NaN, Infinity])('%f is not made a number', (bad) => {
    const values = normals(1, 40);
    values[35] = bad;
    const { sizes, source } = sourceOf({ type, width: 40, outputs: 1, matrices: 1, values });
    const stored = { ...sizes, ...packTiles(source, 0, 1) };
    expect(storedWeight(stored, 0, 0, 35).value).not.toSatisfy(Number.isFinite);
    expect(storedWeight(stored, 0, 0, 31).value).toSatisfy(Number.isFinite);
  });
});

describe('scales', () => {
  const scaleOf = (type: WeightType, values: Float32Array<ArrayBuffer>) => {
    const { sizes, source } = sourceOf({ type, width: 32, outputs: 1, matrices: 1, values });
    const stored = { ...sizes, ...packTiles(source, 0, 1) };
    return Array.from(values, (_, i) => storedWeight(stored, 0, 0, i));
  };

  test('int8: the largest is 127 steps', () => {
    const [largest, other] = scaleOf('int8', Float32Array.of(-12.7, 0.26, ...new Float32Array(30)));
    expect(largest!.scale).toBeCloseTo(0.1, 7);
    expect(largest!.value).toBeCloseTo(-12.7, 5);
    expect(other!.value).toBeCloseTo(0.3, 6);
  });

  test('int4: the largest is kept as it is, whichever its sign', () => {
    for (const sign of [1, -1]) {
      const list = Float32Array.of(...new Float32Array(30), 8 * sign, -7.9 * sign);
      const stored = scaleOf('int4', list);
      expect(stored.slice(30)).toEqual([
        { value: 8 * sign, scale: -sign },
        { value: -7 * sign, scale: -sign },
      ]);
    }
  });
});

describe('columns', () => {
  test('heads that are padded', () => {
    expect([...headColumns(2, 3, 4, 10)]).toEqual([0, 1, 2, -1, 3, 4, 5, -1, -1, -1]);
  });

  test('outputs and inputs that are always zero', () => {
    const sizes: MatrixSizes = { type: 'int4', inputs: 64, outputs: 3, matrices: 1, tile: TILE };
    const piece = { codes: Float32Array.of(1, 2, 3, 4), rowStride: 2, columnStride: 1 };
    const source: MatrixSource = {
      sizes,
      columns: Int32Array.from({ length: 64 }, (_, i) => (i === 1 ? 0 : i === 40 ? 1 : -1)),
      place: (output) => (output === 1 ? undefined : { piece, row: output / 2 }),
    };
    const stored = { ...sizes, ...packTiles(source, 0, 1) };
    const found = Array.from(
      { length: 32 * 64 },
      (_, at) => storedWeight(stored, 0, Math.floor(at / 64), at % 64).value,
    );
    expect(Object.fromEntries(found.flatMap((value, at) => (value === 0 ? [] : [[at, value]])))).toEqual({
      1: 1,
      40: 2,
      [2 * 64 + 1]: 3,
      [2 * 64 + 40]: 4,
    });
  });
});

describe('codesOf', () => {
  const bytes = (values: Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>) =>
    new Uint8Array(values.buffer);

  test('halves as they are, and as each other', () => {
    const halves = Uint16Array.of(0x3c00, 0xc000, 0x3555, 0x7bff);
    expect(codesOf('F16', bytes(halves), 'f16')).toEqual(halves);
    expect(codesOf('BF16', bytes(halves), 'bf16')).toEqual(halves);
    expect([...codesOf('F16', bytes(halves), 'f32')]).toEqual([1, -2, 0.333251953125, 65504]);
    expect([...codesOf('F16', bytes(halves), 'bf16')]).toEqual([0x3f80, 0xc000, 0x3eab, 0x4780]);
    expect([...codesOf('F16', bytes(halves), 'int8')]).toEqual([1, -2, 0.333251953125, 65504]);
  });

  test('bytes at any place', () => {
    const at = new Uint8Array(9);
    at.set(bytes(Float32Array.of(1.5, -3)), 1);
    expect([...codesOf('F32', at.subarray(1), 'f32')]).toEqual([1.5, -3]);
  });

  test('other types are refused', () => {
    expect(() => codesOf('I8', new Uint8Array(4), 'f32')).toThrow(
      'weights: expected F32, F16 or BF16, got I8',
    );
  });
});

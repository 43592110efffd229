// productCase.ts: a product of random numbers with all that must not be read poisoned, run on a device and held against its twin.
import { expect } from 'vitest';
import {
  product as productKernel,
  productGrid,
  productNumbers,
  type Activation,
  type NormKind,
  type ProductForm,
  type ProductVariant,
} from '../../src/kernels/model/product.ts';
import type { DeviceFacts } from '../../src/device/deviceFacts.ts';
import { gemm, gemmGrid, type GemmVariant } from '../../src/kernels/model/gemm.ts';
import { modelStepWords, setModelStep } from '../../src/kernels/model/modelStep.ts';
import { productVariants } from '../../src/kernels/model/variants.ts';
import {
  paddedWidth,
  tileBytes,
  tilesOf,
  type MatrixSizes,
  type WeightType,
} from '../../src/kernels/model/weightsLib.ts';
import { cutTiles } from '../../src/models/decoder/matrix.ts';
import { codesOf, packTiles, plainColumns, type PackedTiles } from '../../src/models/decoder/packing.ts';
import { normals } from '../../src/numbers/random.ts';
import { product, type ProductProblem } from '../reference/product.ts';
import { storedWeight } from '../reference/storedWeights.ts';
import { testDevice } from './device.ts';
import { boundedProduct } from './productBound.ts';
import type { Rounded } from './rounding.ts';
import { runKernel, SENTINEL, type Words } from './runKernel.ts';

/** A product to try. */
export interface ProductCase {
  readonly type: WeightType;
  readonly norm?: NormKind | undefined;
  /** An activation takes one matrix, or two where it is gated. */
  readonly results: 'sums' | 'capped' | Activation;
  readonly gated: boolean;
  readonly writes: ProductForm['writes'];
  readonly bias: boolean;
  /** Rows of a group, and parts of the inputs. */
  readonly rowsOfGroup: number;
  readonly slices: number;
  /** Outputs of a tile (where subgroups do not say how many) and of an invocation; default 32 and 1. */
  readonly tile?: number;
  readonly columns?: number;
  /** Whether subgroups read inputs together, on a device where they do; default false. */
  readonly together?: boolean;
  /** Multiplies by gemm in such tiles, not by product. */
  readonly gemm?: Omit<GemmVariant, 'fromRows'>;
  /** Whether all passes have as many rows, which the numbers say; default false. */
  readonly fixedRows?: boolean;
  readonly rows: number;
  readonly width: number;
  readonly outputs: number;
  /** Most tiles of a part; default: all. */
  readonly tilesOfPart?: number;
  /** Elements behind a row's own ones, in inputs (of products without a norm) and in results; default 0. */
  readonly spare?: number;
  readonly scale?: number;
  readonly softcap?: number;
  /** What rows, and weights, are multiplied by; default 1. */
  readonly magnitude?: number;
  readonly seed?: number;
}

export const CONTROL: ProductCase = {
  type: 'f32',
  results: 'sums',
  gated: false,
  writes: 'set',
  bias: false,
  rowsOfGroup: 2,
  slices: 2,
  rows: 3,
  width: 65,
  outputs: 33,
};

const EPS = Math.fround(1e-5);

/** A matrix, or two, of random weights of about 1 / sqrt(width), packed part by part. */
function packed(c: ProductCase, sizes: MatrixSizes): { first: number; tiles: number; part: PackedTiles }[] {
  const { outputs, matrices, inputs, type } = sizes;
  const size = (c.magnitude ?? 1) / Math.sqrt(c.width);
  const pieces = Array.from({ length: matrices }, (_, m) => {
    const values = normals((c.seed ?? 1) + 10 + m, outputs * c.width).map((value) => value * size);
    const codes = codesOf('F32', new Uint8Array(values.buffer), type);
    return { codes, rowStride: c.width, columnStride: 1 };
  });
  const source = {
    sizes,
    columns: plainColumns(c.width, inputs),
    place: (output: number, matrix: number) => ({ piece: pieces[matrix]!, row: output }),
  };
  const most = (c.tilesOfPart ?? tilesOf(sizes)) * tileBytes(sizes).weights;
  return cutTiles('test', sizes, most).map(({ first, tiles }) => ({
    first,
    tiles,
    part: packTiles(source, first, tiles),
  }));
}

/** Rows [count, stride] of random numbers, zeros from `width` to `padded`, NaN behind that and from row `rows` on. */
function poisonedRows(
  c: Pick<ProductCase, 'rows' | 'width'>,
  {
    count,
    padded,
    stride,
    seed,
    magnitude,
  }: { count: number; padded: number; stride: number; seed: number; magnitude: number },
): Float32Array<ArrayBuffer> {
  const x = new Float32Array(count * stride).fill(NaN);
  for (let row = 0; row < c.rows; row++) {
    // Rows of another mean than zero, and of other magnitudes.
    const values = normals(seed + row, c.width).map((value) => (value + 0.5) * magnitude * (1 + row / 4));
    x.set(values, row * stride);
    x.fill(0, row * stride + c.width, row * stride + padded);
  }
  return x;
}

function variantOf(c: ProductCase, facts: DeviceFacts): ProductVariant {
  const { subgroup } = productVariants(facts, 1).one;
  const sizes = { rows: c.rowsOfGroup, columns: c.columns ?? 1 };
  return c.together && subgroup ? { ...sizes, slices: 1, subgroup } : { ...sizes, slices: c.slices };
}

/** Runs it, part by part, and holds all of its outputs against float64. */
export async function checkProduct(c: ProductCase): Promise<void> {
  const device = await testDevice();
  const matrices = c.gated ? 2 : 1;
  const inputs = paddedWidth(c.width);
  const variant = variantOf(c, device.facts);
  const tile = variant.subgroup ? variant.subgroup * variant.columns : (c.tile ?? 32);
  const sizes: MatrixSizes = { type: c.type, inputs, outputs: c.outputs, matrices, tile };
  const columns = tilesOf(sizes) * sizes.tile;
  const { seed = 1, spare = 0, magnitude = 1, scale = 1, softcap = 3, fixedRows = false } = c;
  const inputStride = inputs + (c.norm ? 0 : 4 * spare);
  const many = c.gemm && { fromRows: 1, ...c.gemm };
  const together = many?.rows ?? c.rowsOfGroup;
  const readRows = Math.ceil(c.rows / together) * together;
  const x = poisonedRows(c, { count: readRows, padded: inputs, stride: inputStride, seed, magnitude });
  const gains = new Float32Array(inputs);
  gains.set(normals(seed + 2, c.width).map((value) => 1 + value / 4));
  const bias = new Float32Array(columns * matrices);
  bias.set(normals(seed + 3, c.outputs * matrices));
  const parts = packed(c, sizes);

  // With two buffers a row of the first is full, and the other takes the rest of the last tile.
  const ends = c.writes === 'two' ? Math.max(1, Math.floor(c.outputs / 2)) : columns + spare;
  const others = columns - Math.min(ends, columns) + spare + 1;
  const written = c.rows + 2;
  const start = (count: number) =>
    c.writes === 'added' ? normals(seed + 4, count) : new Float32Array(count).fill(SENTINEL);
  const before = { y: start(written * ends), others: start(written * others) };
  const after = { ...before } as Record<string, Words>;
  const form: ProductForm = {
    ...(c.norm && { norm: c.norm }),
    bias: c.bias,
    results: c.results,
    writes: c.writes,
    fixedRows,
  };
  const two = c.writes === 'two';
  const strides = { inputStride, stride: ends, ...(two && { others }) };
  const kernel = many ? gemm(sizes, form, many, strides) : productKernel(sizes, form, variant, strides);
  const step = new Uint32Array(modelStepWords(c.rows));
  setModelStep(step, new Uint32Array(c.rows), c.rows);
  for (const { first, tiles, part } of parts) {
    const numbers = productNumbers(sizes, {
      first: first * sizes.tile,
      width: c.width,
      eps: EPS,
      scale,
      softcap,
      ...(fixedRows && { rows: c.rows }),
    });
    const out = await runKernel(device, {
      kernel,
      grid: many ? gemmGrid(sizes, form, many, { tiles, rows: c.rows }) : productGrid(tiles, c.rows, variant),
      inputs: {
        x,
        weights: part.weights,
        numbers,
        ...(part.scales && { scales: part.scales }),
        ...(c.norm && { gains }),
        ...(c.bias && { bias }),
      },
      outputs: { y: after.y!, ...(two && { others: after.others! }) },
      ...(!fixedRows && { step }),
    });
    Object.assign(after, out);
  }

  const partOf = (output: number) => parts.findLast(({ first }) => first * sizes.tile <= output)!;
  const problem: ProductProblem = {
    ...c,
    gains,
    eps: EPS,
    scale,
    softcap,
    x: (row, i) => x[row * inputStride + i]!,
    weights: Array.from({ length: matrices }, (_, m) => {
      const values = Float64Array.from({ length: c.outputs * c.width }, (__, at) => {
        const [output, i] = [Math.floor(at / c.width), at % c.width];
        const { first, part } = partOf(output);
        return storedWeight({ ...sizes, ...part }, m, output - first * sizes.tile, i).value;
      });
      return (output: number, i: number) => values[output * c.width + i]!;
    }),
    bias: c.bias ? (output, matrix) => bias[output * matrices + matrix]! : undefined,
  };
  expectProduct(c, problem, { before, after, ends, others, columns });
}

interface Written {
  readonly before: Readonly<Record<'y' | 'others', Float32Array>>;
  readonly after: Readonly<Record<string, Words>>;
  readonly ends: number;
  readonly others: number;
  readonly columns: number;
}

function expectProduct(
  c: ProductCase,
  problem: ProductProblem,
  { before, after, ends, others, columns }: Written,
): void {
  const truth = product(problem);
  const bounds = boundedProduct(problem);
  const largest = truth.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const wrong: string[] = [];
  const seen = { y: new Uint8Array(before.y.length), others: new Uint8Array(before.others.length) };
  for (let row = 0; row < c.rows; row++) {
    for (let column = 0; column < columns; column++) {
      const name = column < ends ? 'y' : 'others';
      const at = column < ends ? row * ends + column : row * others + column - ends;
      seen[name][at] = 1;
      // Outputs that fill the last tile are of weights that are zero.
      const real = column < c.outputs;
      const output = row * c.outputs + column;
      const base = c.writes === 'added' ? before[name][at]! : 0;
      const want = base + (real ? truth[output]! : 0);
      const bound = real ? bounds[output]!.error : 0;
      // Adding rounds once more.
      const most = bound + (c.writes === 'added' ? 2 ** -24 * (Math.abs(want) + bound) : 0);
      const got = after[name]![at]!;
      if (!(Math.abs(got - want) <= most))
        wrong.push(`${name}[${row}, ${column}]: expected ${want} within ${most}, got ${got}`);
      if (real) agree(truth[output]!, bounds[output]!, largest);
    }
  }
  expect(wrong.slice(0, 5), JSON.stringify(c)).toEqual([]);
  for (const name of ['y', 'others'] as const) {
    const strays = Array.from(before[name].keys()).filter(
      (at) => !seen[name][at] && !Object.is(before[name][at], after[name]![at]),
    );
    expect(strays.slice(0, 5), `${name}: written, but should not be: ${JSON.stringify(c)}`).toEqual([]);
  }
}

/** The twin and what its bound was computed for are the same number; a bound that allows anything is none. */
function agree(truth: number, { value, error }: Rounded, largest: number): void {
  if (Math.abs(truth - value) <= 1e-12 * (1 + Math.abs(truth)) && error < 0.01 * (1 + largest)) return;
  throw new Error(`product: ${truth} is ${value} within ${error}`);
}

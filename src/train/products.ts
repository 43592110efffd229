// products.ts: a product of rows with a matrix of the parameters, forward and backward.
import type { BufferRange } from '../device/buffers.ts';
import type { DeviceFacts } from '../device/deviceFacts.ts';
import {
  matmul,
  matmulGrid,
  matmulNumbers,
  matmulParts,
  type MatmulKind,
  type MatmulSizes,
} from '../kernels/train/matmul.ts';
import {
  columnSums,
  columnSumsGrid,
  columnSumsNumbers,
  partsOf,
  sumParts,
  sumPartsGrid,
  sumPartsNumbers,
} from '../kernels/train/rows.ts';
import { inTurn, rangeOfBlock, type Binder, type Dispatch, type Recorded } from './binder.ts';
import type { Block, ProductBlocks } from './parameters.ts';

/** The buffers of a training model that its parameters and their gradients lie in, and scratch memory for sums of parts. */
export interface ParameterBuffers {
  readonly parameters: GPUBuffer;
  readonly gradients: GPUBuffer;
  readonly parts: BufferRange;
}

/** Rows [rows, inputs] that a product is of, and where its results go, [rows, outputs]. */
export interface ForwardRows {
  readonly rows: number;
  readonly x: BufferRange;
  readonly y: BufferRange;
  /** Added to the results, [rows, outputs]. */
  readonly residual?: BufferRange;
}

/** y = x w^T, with its bias and the residual. */
export function bindForward(
  binder: Binder,
  { parameters }: ParameterBuffers,
  { weights, bias }: ProductBlocks,
  { rows, x, y, residual }: ForwardRows,
): Promise<Recorded> {
  const kind: MatmulKind = { form: 'outputs', bias: bias !== undefined, residual: residual !== undefined };
  return binder.bind(
    matmulOf(
      binder,
      kind,
      { rows, inputs: weights.columns, outputs: weights.rows },
      {
        a: x,
        b: rangeOfBlock(parameters, weights),
        y,
        ...(bias && { bias: rangeOfBlock(parameters, bias) }),
        ...(residual && { residual }),
      },
    ),
  );
}

/** d_x = d_y w. */
export function bindInputs(
  binder: Binder,
  { parameters }: ParameterBuffers,
  weights: Block,
  { rows, dY, dX }: { readonly rows: number; readonly dY: BufferRange; readonly dX: BufferRange },
): Promise<Recorded> {
  const sizes = { rows, inputs: weights.columns, outputs: weights.rows };
  const buffers = { a: dY, b: rangeOfBlock(parameters, weights), y: dX };
  return binder.bind(matmulOf(binder, { form: 'inputs' }, sizes, buffers));
}

/** d_w = d_y^T x, or adds it. */
export async function bindWeights(
  binder: Binder,
  { gradients, parts: scratch }: ParameterBuffers,
  weights: Block,
  { rows, dY, x }: { readonly rows: number; readonly dY: BufferRange; readonly x: BufferRange },
  accumulates = false,
): Promise<Recorded> {
  const sizes = { rows, inputs: weights.columns, outputs: weights.rows };
  const parts = accumulates ? 1 : matmulParts(sizes, binder.facts);
  const gradient = rangeOfBlock(gradients, weights);
  const y = parts === 1 ? gradient : scratch;
  const kind: MatmulKind = { form: 'weights', accumulates };
  const product = await binder.bind(matmulOf(binder, kind, { ...sizes, parts }, { a: dY, b: x, y }));
  if (parts === 1) return product;
  return inTurn([product, await bindSum(binder, scratch, gradient, parts, weights.rows * weights.columns)]);
}

/** Gradients of biases: sums of d_y's columns `first` and on, of `stride`. */
export async function bindBias(
  binder: Binder,
  { gradients, parts: scratch }: ParameterBuffers,
  bias: Block,
  {
    rows,
    dY,
    stride,
    first = 0,
  }: { readonly rows: number; readonly dY: BufferRange; readonly stride: number; readonly first?: number },
): Promise<Recorded> {
  const parts = partsOf(rows, binder.facts);
  const gradient = rangeOfBlock(gradients, bias);
  const sizes = { rows, width: bias.rows, parts, stride, first };
  const sums = await binder.bind({
    kernel: columnSums(binder.facts),
    grid: columnSumsGrid(sizes, binder.facts),
    numbers: columnSumsNumbers(sizes),
    buffers: { d_y: dY, sums: parts === 1 ? gradient : scratch },
  });
  return parts === 1 ? sums : inTurn([sums, await bindSum(binder, scratch, gradient, parts, bias.rows)]);
}

/** Sums of parts that lie one behind the other. */
export function bindSum(
  binder: Binder,
  parts: BufferRange,
  sum: BufferRange,
  count: number,
  elements: number,
): Promise<Recorded> {
  return binder.bind({
    kernel: sumParts(),
    grid: sumPartsGrid(elements),
    numbers: sumPartsNumbers({ parts: count, count: elements }),
    buffers: { parts, sum },
  });
}

/** Elements of scratch memory that gradients of such a matrix take. */
export function partElements(
  rows: number,
  { rows: outputs, columns: inputs }: Block,
  facts: DeviceFacts,
): number {
  const parts = inputs === 1 ? partsOf(rows, facts) : matmulParts({ rows, inputs, outputs }, facts);
  return parts === 1 ? 0 : parts * outputs * inputs;
}

function matmulOf(
  { facts }: Binder,
  kind: MatmulKind,
  sizes: MatmulSizes,
  buffers: Dispatch['buffers'],
): Dispatch {
  return {
    kernel: matmul(kind, facts),
    grid: matmulGrid(kind, sizes, facts),
    numbers: matmulNumbers(sizes),
    buffers,
  };
}

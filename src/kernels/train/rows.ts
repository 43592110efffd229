// rows.ts: kernels on rows of activations and of their gradients, beside the products: norms, sums over rows, activations, RoPE.
import normBiasAdded from '../../../shaders/lib/train/norm_bias_added.wgsl?raw';
import normBiasNone from '../../../shaders/lib/train/norm_bias_none.wgsl?raw';
import rowSumsAlone from '../../../shaders/lib/train/row_sums_alone.wgsl?raw';
import rowSumsShared from '../../../shaders/lib/train/row_sums_shared.wgsl?raw';
import slopeGeluErf from '../../../shaders/lib/train/slope_gelu_erf.wgsl?raw';
import slopeGeluTanh from '../../../shaders/lib/train/slope_gelu_tanh.wgsl?raw';
import slopeRelu from '../../../shaders/lib/train/slope_relu.wgsl?raw';
import slopeReluSquared from '../../../shaders/lib/train/slope_relu_squared.wgsl?raw';
import slopeSilu from '../../../shaders/lib/train/slope_silu.wgsl?raw';
import activateSource from '../../../shaders/train/activate.wgsl?raw';
import activateBackSource from '../../../shaders/train/activate_back.wgsl?raw';
import columnSumsSource from '../../../shaders/train/column_sums.wgsl?raw';
import normGainsSource from '../../../shaders/train/norm_gains.wgsl?raw';
import normInputsSource from '../../../shaders/train/norm_inputs.wgsl?raw';
import normRowsSource from '../../../shaders/train/norm_rows.wgsl?raw';
import sumPartsSource from '../../../shaders/train/sum_parts.wgsl?raw';
import turnBackSource from '../../../shaders/train/turn_back.wgsl?raw';
import type { DeviceFacts } from '../../device/deviceFacts.ts';
import { link } from '../../device/wgsl.ts';
import type { RopeStyle } from '../../numbers/rope.ts';
import { turnLibs } from '../appendLibs.ts';
import type { Grid, Kernel } from '../kernel.ts';
import { ACTIVATION_LIBS, type Activation, type NormKind } from '../model/product.ts';
import { foldedGrid, foldedRows } from './grid.ts';
import { numbersOf } from './numbers.ts';

/** What these kernels ask of a device. */
export type RowFacts = Pick<DeviceFacts, 'software'>;

/** A norm: `layer` subtracts the mean too. */
export interface NormRowsKind {
  readonly norm: NormKind;
  /** Whether a bias is added. */
  readonly bias: boolean;
}

/** The gradient of its input. */
export interface NormInputsKind {
  readonly norm: NormKind;
  /** Whether it is added to what is there: a residual's gradient. */
  readonly adds: boolean;
}

/** Invocations of a row, and of a workgroup. A CPU's each have a row, as many as its vectors are wide: none waits for another. */
const SHARED_ROW = { LANES: 32, WG_SIZE: 64 };
const WHOLE_ROW = { LANES: 1, WG_SIZE: 8 };

function rowSizes({ software }: RowFacts): typeof SHARED_ROW {
  return software ? WHOLE_ROW : SHARED_ROW;
}

function rowSums({ software }: RowFacts): string {
  return software ? rowSumsAlone : rowSumsShared;
}

function rowGroups(rows: number, facts: RowFacts): Grid {
  const { LANES, WG_SIZE } = rowSizes(facts);
  return foldedGrid(Math.ceil(rows / (WG_SIZE / LANES)));
}

/** Normalises rows, and keeps what they were normalised by. */
export function normRows({ norm, bias }: NormRowsKind, facts: RowFacts): Kernel {
  const libs = [rowSums(facts), bias ? normBiasAdded : normBiasNone];
  const consts = { CENTRED: norm === 'layer', ...rowSizes(facts) };
  return { name: 'norm_rows', source: link({ kernel: normRowsSource, libs, consts }) };
}

/** The words of its `numbers` binding; `width` is a multiple of 4. */
export const normRowsNumbers = numbersOf(normRowsSource, 'NormRowsNumbers', {
  rows: 'u32',
  width: 'u32',
  eps: 'f32',
});

export const normRowsGrid = rowGroups;

/** The gradient of a norm's input. */
export function normInputs({ norm, adds }: NormInputsKind, facts: RowFacts): Kernel {
  const consts = { CENTRED: norm === 'layer', ADDS: adds, ...rowSizes(facts) };
  return { name: 'norm_inputs', source: link({ kernel: normInputsSource, libs: [rowSums(facts)], consts }) };
}

/** The words of its `numbers` binding; `width` is a multiple of 4. */
export const normInputsNumbers = numbersOf(normInputsSource, 'NormInputsNumbers', {
  rows: 'u32',
  width: 'u32',
});

export const normInputsGrid = rowGroups;

/** Invocations of a workgroup that have four columns each: on a CPU so few that a narrow row keeps its threads busy. */
function columnsWgSize({ software }: RowFacts): number {
  return software ? 8 : 64;
}

/** Rows of a part: fewer would leave more to sum up than they save, more would leave a GPU idle. */
const PART_ROWS = 16;
const MOST_PARTS = 128;

/** Parts that sums over so many rows are taken in. On a CPU one: columns keep its threads busy, and nothing is left to sum up. */
export function partsOf(rows: number, { software }: RowFacts): number {
  return software ? 1 : Math.max(1, Math.min(Math.ceil(rows / PART_ROWS), MOST_PARTS));
}

function columnGroups({ width, parts }: ColumnSizes, facts: RowFacts): Grid {
  return [Math.ceil(width / 4 / columnsWgSize(facts)), parts, 1];
}

/** Columns, a multiple of 4, and parts that each is summed in. */
export interface ColumnSizes {
  readonly width: number;
  readonly parts: number;
}

/** The gradients of a norm's gains, in parts. */
export function normGains(facts: RowFacts): Kernel {
  const consts = { WG_SIZE: columnsWgSize(facts) };
  return { name: 'norm_gains', source: link({ kernel: normGainsSource, libs: [], consts }) };
}

/** The words of its `numbers` binding; part p has rows p * share to (p + 1) * share, where share is rows / parts rounded up. */
export const normGainsNumbers = numbersOf(normGainsSource, 'NormGainsNumbers', {
  rows: 'u32',
  width: 'u32',
  parts: 'u32',
});

export const normGainsGrid = columnGroups;

/** Sums over rows of each column, in parts: the gradients of biases. */
export function columnSums(facts: RowFacts): Kernel {
  const consts = { WG_SIZE: columnsWgSize(facts) };
  return { name: 'column_sums', source: link({ kernel: columnSumsSource, libs: [], consts }) };
}

/** The words of its `numbers` binding, parts as those of `normGains`: columns `first` and on of rows `stride` apart, multiples of 4. */
export const columnSumsNumbers = numbersOf(columnSumsSource, 'ColumnSumsNumbers', {
  rows: 'u32',
  width: 'u32',
  parts: 'u32',
  stride: 'u32',
  first: 'u32',
});

export const columnSumsGrid = columnGroups;

const SUM_PARTS = { WG_SIZE: 64 };

/** The sum of parts, element by element. */
export function sumParts(): Kernel {
  return { name: 'sum_parts', source: link({ kernel: sumPartsSource, libs: [], consts: SUM_PARTS }) };
}

/** The words of its `numbers` binding; `count`, the elements of a part, is a multiple of 4. */
export const sumPartsNumbers = numbersOf(sumPartsSource, 'SumPartsNumbers', { parts: 'u32', count: 'u32' });

export function sumPartsGrid(count: number): Grid {
  return foldedGrid(Math.ceil(count / 4 / SUM_PARTS.WG_SIZE));
}

/** What becomes of the first product of a feed-forward block. */
export interface ActivateKind {
  readonly activation: Activation;
  /** Whether it is applied to a gate, which the other half of the row is multiplied by. */
  readonly gated: boolean;
}

const SLOPES: Readonly<Record<Activation, string>> = {
  silu: slopeSilu,
  gelu_tanh: slopeGeluTanh,
  gelu_erf: slopeGeluErf,
  relu: slopeRelu,
  relu_squared: slopeReluSquared,
};

/** Of one row each: what several rows have lies too far apart for a CPU's caches. */
const ACTIVATE = { WG_SIZE: 64 };

function activateGroups(rows: number, width: number): Grid {
  return foldedRows(Math.ceil(width / 4 / ACTIVATE.WG_SIZE), rows);
}

/** The activation of each element, or of the gate that it is multiplied by. */
export function activate({ activation, gated }: ActivateKind): Kernel {
  const consts = { GATED: gated, ...ACTIVATE };
  const libs = [ACTIVATION_LIBS[activation]];
  return { name: 'activate', source: link({ kernel: activateSource, libs, consts }) };
}

/** The words of its `numbers` binding; `width`, of the result, is a multiple of 4. */
export const activateNumbers = numbersOf(activateSource, 'ActivateNumbers', { rows: 'u32', width: 'u32' });

export const activateGrid = activateGroups;

/** The gradients of what `activate` reads. */
export function activateBack({ activation, gated }: ActivateKind): Kernel {
  const consts = { GATED: gated, ...ACTIVATE };
  const libs = [SLOPES[activation], ACTIVATION_LIBS[activation]];
  return { name: 'activate_back', source: link({ kernel: activateBackSource, libs, consts }) };
}

/** The words of its `numbers` binding, as those of `activate`. */
export const activateBackNumbers = numbersOf(activateBackSource, 'ActivateBackNumbers', {
  rows: 'u32',
  width: 'u32',
});

export const activateBackGrid = activateGroups;

/** How rows were turned by their positions. */
export interface TurnBackKind {
  readonly headDim: number;
  /** Elements of a head that are turned, the first ones: an even number. */
  readonly rotaryDim: number;
  readonly style: RopeStyle;
}

const TURN_BACK = { PAIRS: 8, ROWS: 8 };

/** Turns gradients of turned rows to those of the rows before, in place; `turns` is a `ropeTable` of at least `length` positions. */
export function turnBack({ headDim, ...rope }: TurnBackKind): Kernel {
  const consts = { HEAD_DIM: headDim, ...TURN_BACK };
  return { name: 'turn_back', source: link({ kernel: turnBackSource, libs: turnLibs(rope), consts }) };
}

/** The words of its `numbers` binding: the first `heads` heads of rows `stride` apart; row m is of position m % length. */
export const turnBackNumbers = numbersOf(turnBackSource, 'TurnBackNumbers', {
  rows: 'u32',
  length: 'u32',
  heads: 'u32',
  stride: 'u32',
});

export function turnBackGrid(rows: number, rotaryDim: number): Grid {
  return foldedRows(Math.ceil(rotaryDim / 2 / TURN_BACK.PAIRS), Math.ceil(rows / TURN_BACK.ROWS));
}

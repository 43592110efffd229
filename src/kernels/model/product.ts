// product.ts: rows times a matrix of weights (shaders/model/product.wgsl).
import actGeluErf from '../../../shaders/lib/model/act_gelu_erf.wgsl?raw';
import actGeluTanh from '../../../shaders/lib/model/act_gelu_tanh.wgsl?raw';
import actRelu from '../../../shaders/lib/model/act_relu.wgsl?raw';
import actReluSquared from '../../../shaders/lib/model/act_relu_squared.wgsl?raw';
import actSilu from '../../../shaders/lib/model/act_silu.wgsl?raw';
import biasAdded from '../../../shaders/lib/model/bias_added.wgsl?raw';
import biasNone from '../../../shaders/lib/model/bias_none.wgsl?raw';
import inputsLayer from '../../../shaders/lib/model/inputs_layer.wgsl?raw';
import inputsPlain from '../../../shaders/lib/model/inputs_plain.wgsl?raw';
import inputsRms from '../../../shaders/lib/model/inputs_rms.wgsl?raw';
import productResults from '../../../shaders/lib/model/product_results.wgsl?raw';
import readsBroadcast from '../../../shaders/lib/model/reads_broadcast.wgsl?raw';
import readsEach from '../../../shaders/lib/model/reads_each.wgsl?raw';
import resultsActivated from '../../../shaders/lib/model/results_activated.wgsl?raw';
import resultsCapped from '../../../shaders/lib/model/results_capped.wgsl?raw';
import resultsGated from '../../../shaders/lib/model/results_gated.wgsl?raw';
import resultsSums from '../../../shaders/lib/model/results_sums.wgsl?raw';
import slicesMany from '../../../shaders/lib/model/slices_many.wgsl?raw';
import slicesOne from '../../../shaders/lib/model/slices_one.wgsl?raw';
import sumsFour from '../../../shaders/lib/model/sums_four.wgsl?raw';
import sumsOne from '../../../shaders/lib/model/sums_one.wgsl?raw';
import subgroupSized from '../../../shaders/lib/model/subgroup_sized.wgsl?raw';
import rowsFixed from '../../../shaders/lib/model/rows_fixed.wgsl?raw';
import rowsOfStep from '../../../shaders/lib/model/rows_of_step.wgsl?raw';
import rowsJoined from '../../../shaders/lib/model/sums_of_rows_joined.wgsl?raw';
import rowsSubgroup from '../../../shaders/lib/model/sums_of_rows_subgroup.wgsl?raw';
import writeAdded from '../../../shaders/lib/model/write_added.wgsl?raw';
import writeSet from '../../../shaders/lib/model/write_set.wgsl?raw';
import writeTwo from '../../../shaders/lib/model/write_two.wgsl?raw';
import source from '../../../shaders/model/product.wgsl?raw';
import { structLayout } from '../../device/structs.ts';
import { link } from '../../device/wgsl.ts';
import type { Grid, Kernel } from '../kernel.ts';
import { MODEL_STEP } from './modelStep.ts';
import {
  blocksOf,
  STEP_FOURS,
  WEIGHTS_LIB,
  WORD_ELEMENTS,
  type MatrixSizes,
  type WeightType,
} from './weightsLib.ts';

/** What a norm in front of a product does. `layer` subtracts the mean too. */
export type NormKind = 'rms' | 'layer';

/** What is done to sums: `gelu_erf` is exact, `gelu_tanh` its approximation, `relu_squared` max(x, 0)². */
export type Activation = 'silu' | 'gelu_tanh' | 'gelu_erf' | 'relu' | 'relu_squared';

/** What a product does besides. */
export interface ProductForm {
  /** Default: rows are taken as they are. */
  readonly norm?: NormKind;
  readonly bias: boolean;
  /** What becomes of the sums: `capped` softly, or an activation: of the sums, or of the gate where there are two matrices. */
  readonly results: 'sums' | 'capped' | Activation;
  /** What happens to results: they are written, added to what is there, or written to two buffers, queries apart from the rest. */
  readonly writes: 'set' | 'added' | 'two';
  /** Whether all passes have as many rows: the kernel reads no step then, which saves the host its offset in every dispatch. */
  readonly fixedRows?: boolean;
}

/** Sizes of its workgroups, by a device's profile. */
export interface ProductVariant {
  /** Rows that share a reading of the weights: a power of two. */
  readonly rows: number;
  /** Outputs of an invocation, a power of two. */
  readonly columns: number;
  /** Parts of the inputs that invocations of one workgroup take: a power of two; 1 with subgroups. */
  readonly slices: number;
  /**
   * Size of subgroups whose invocations read inputs, and take norms, together. Default: each invocation reads all inputs, and norms are
   * taken by workgroups.
   */
  readonly subgroup?: SubgroupSize;
}

/** Sizes of subgroups that `reads_broadcast` knows. */
export const SUBGROUP_SIZES = [4, 8] as const;
export type SubgroupSize = (typeof SUBGROUP_SIZES)[number];

/** The lib of each. */
export const ACTIVATION_LIBS: Readonly<Record<Activation, string>> = {
  silu: actSilu,
  gelu_tanh: actGeluTanh,
  gelu_erf: actGeluErf,
  relu: actRelu,
  relu_squared: actReluSquared,
};

export const ACTIVATION_NAMES = Object.keys(ACTIVATION_LIBS) as readonly Activation[];

const NORMS = { rms: inputsRms, layer: inputsLayer } as const;

/** So many sums are kept in one place each: four would not fit registers. */
const MANY_SUMS = 4;

const WRITES: Readonly<Record<ProductForm['writes'], string>> = {
  set: writeSet,
  added: writeAdded,
  two: writeTwo,
};

/** Elements from a row to the next, of inputs and of results; with two buffers a row of the first is full. */
export interface ProductRows {
  readonly inputStride: number;
  readonly stride: number;
  readonly others?: number;
}

/** What rows times a matrix are linked with, whichever kernel multiplies; `sumsOfRows`: the lib that takes sums over rows for norms. */
export function formLibs({ type, matrices }: MatrixSizes, form: ProductForm, sumsOfRows: string): string[] {
  return [
    ...(form.fixedRows ? [rowsFixed] : [MODEL_STEP, rowsOfStep]),
    WEIGHTS_LIB[type],
    ...(form.norm ? [NORMS[form.norm], sumsOfRows] : [inputsPlain]),
    productResults,
    form.bias ? biasAdded : biasNone,
    ...resultLibs(form.results, matrices),
    WRITES[form.writes],
  ];
}

/** The linked kernel. */
export function product(
  sizes: MatrixSizes,
  form: ProductForm,
  variant: ProductVariant,
  { inputStride, stride, others }: ProductRows,
): Kernel {
  const { matrices, type } = sizes;
  const { rows, columns, slices, subgroup } = variant;
  const libs = [
    ...formLibs(sizes, form, subgroup ? rowsSubgroup : rowsJoined),
    ...(subgroup ? [readsBroadcast, subgroupSized] : [readsEach]),
    rows * columns * matrices >= MANY_SUMS ? sumsOne : sumsFour,
    slices === 1 ? slicesOne : slicesMany,
  ];
  const consts = {
    X4: inputStride / 4,
    Y: stride,
    BLOCKS: blocksOf(sizes),
    MATRICES: matrices,
    TILE: sizes.tile,
    COLUMNS: columns,
    SLICES: slices,
    ROWS: rows,
    COUNTED: subgroup !== undefined,
    WORDS: columns * matrices,
    SUMS: rows * columns * matrices,
    ...(others !== undefined && { OTHERS: others }),
    ...(subgroup && heldConsts(subgroup, type, rows)),
  };
  const enables = subgroup ? ['subgroups'] : [];
  return { name: 'product', source: link({ kernel: source, libs, consts, enables }) };
}

/** What an invocation of a subgroup reads for the others. */
function heldConsts(subgroup: number, type: WeightType, rows: number): Record<string, number> {
  const held = Math.max(1, WORD_ELEMENTS[type] / subgroup);
  return { SUBGROUP: subgroup, HELD: held, ALL_HELD: held * rows };
}

function resultLibs(results: ProductForm['results'], matrices: number): string[] {
  if (results === 'sums') return [resultsSums];
  if (results === 'capped') return [resultsCapped];
  return [matrices === 2 ? resultsGated : resultsActivated, ACTIVATION_LIBS[results]];
}

/** Workgroups for so many tiles and rows. */
export function productGrid(tiles: number, rows: number, variant: ProductVariant): Grid {
  return [tiles, Math.ceil(rows / variant.rows), 1];
}

const NUMBERS = structLayout(productResults, 'ProductNumbers', {
  first: 'u32',
  blocks: 'u32',
  fours: 'u32',
  step: 'u32',
  width: 'u32',
  eps: 'f32',
  scale: 'f32',
  softcap: 'f32',
  rows: 'u32',
});

/** What a product takes as numbers. */
export interface ProductNumbers {
  /** Output that the first tile begins with. */
  readonly first: number;
  /** Elements of a row that the norm counts. */
  readonly width: number;
  readonly eps: number;
  /** Of the results. */
  readonly scale: number;
  readonly softcap: number;
  /** Of every pass, for a kernel of fixed rows. */
  readonly rows?: number;
}

/** The words of the `numbers` binding. */
export function productNumbers(sizes: MatrixSizes, numbers: ProductNumbers): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(NUMBERS.words);
  const floats = new Float32Array(words.buffer);
  words[NUMBERS.word.first] = numbers.first;
  words[NUMBERS.word.blocks] = blocksOf(sizes);
  words[NUMBERS.word.fours] = sizes.inputs / 4;
  words[NUMBERS.word.step] = STEP_FOURS;
  words[NUMBERS.word.width] = numbers.width;
  floats[NUMBERS.word.eps] = numbers.eps;
  floats[NUMBERS.word.scale] = numbers.scale;
  floats[NUMBERS.word.softcap] = numbers.softcap;
  words[NUMBERS.word.rows] = numbers.rows ?? 0;
  return words;
}

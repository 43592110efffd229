// rows.ts: kernels on rows of activations beside the products: embedding, norms behind a product, rows picked out.
import sumsOfRows from '../../../shaders/lib/model/sums_of_rows_joined.wgsl?raw';
import positionsLearned from '../../../shaders/lib/model/positions_learned.wgsl?raw';
import positionsNone from '../../../shaders/lib/model/positions_none.wgsl?raw';
import writeFourAdded from '../../../shaders/lib/model/write_four_added.wgsl?raw';
import writeFourSet from '../../../shaders/lib/model/write_four_set.wgsl?raw';
import embedSource from '../../../shaders/model/embed.wgsl?raw';
import gatherSource from '../../../shaders/model/gather_rows.wgsl?raw';
import normSource from '../../../shaders/model/norm.wgsl?raw';
import { structLayout } from '../../device/structs.ts';
import { link } from '../../device/wgsl.ts';
import type { Grid, Kernel } from '../kernel.ts';
import { MODEL_STEP } from './modelStep.ts';
import { blocksOf, WEIGHTS_LIB, type MatrixSizes } from './weightsLib.ts';

const WG_SIZE = 64;

/** Embeds tokens from a table of such sizes, whose inputs are the elements of a row; `learned`: adds a row of positions. */
export function embed(table: Omit<MatrixSizes, 'outputs' | 'matrices'>, learned: boolean): Kernel {
  const libs = [MODEL_STEP, WEIGHTS_LIB[table.type], learned ? positionsLearned : positionsNone];
  const consts = { X4: table.inputs / 4, BLOCKS: blocksOf(table), TILE: table.tile, WG_SIZE, MATRICES: 1 };
  return { name: 'embed', source: link({ kernel: embedSource, libs, consts }) };
}

/** Workgroups for so many tokens. */
export function embedGrid(table: Omit<MatrixSizes, 'outputs' | 'matrices'>, rows: number): Grid {
  return [Math.ceil(blocksOf(table) / WG_SIZE), rows, 1];
}

const EMBED = structLayout(embedSource, 'EmbedNumbers', { first: 'u32', count: 'u32', scale: 'f32' });

/** The words of its `numbers` binding: rows `first` and on, `count` of them, and what elements are multiplied by. */
export function embedNumbers(first: number, count: number, scale: number): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(EMBED.words);
  words[EMBED.word.first] = first;
  words[EMBED.word.count] = count;
  new Float32Array(words.buffer)[EMBED.word.scale] = scale;
  return words;
}

/** Normalises rows of `width` elements, padded, and sets or adds them. */
export function norm(inputs: number, adds: boolean): Kernel {
  const libs = [sumsOfRows, adds ? writeFourAdded : writeFourSet];
  const consts = { X4: inputs / 4, WG_SIZE, ROWS: 1 };
  return { name: 'norm', source: link({ kernel: normSource, libs, consts }) };
}

const NORM = structLayout(normSource, 'NormNumbers', { width: 'u32', eps: 'f32' });

/** The words of its `numbers` binding. */
export function normNumbers(width: number, eps: number): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(NORM.words);
  words[NORM.word.width] = width;
  new Float32Array(words.buffer)[NORM.word.eps] = eps;
  return words;
}

/** Picks rows of so many elements. */
export function gatherRows(inputs: number): Kernel {
  const consts = { X4: inputs / 4, WG_SIZE };
  return { name: 'gather_rows', source: link({ kernel: gatherSource, libs: [MODEL_STEP], consts }) };
}

/** Workgroups for so many rows wanted. */
export function gatherGrid(inputs: number, rows: number): Grid {
  return [Math.ceil(inputs / 4 / WG_SIZE), rows, 1];
}

// tokens.ts: kernels of training at both ends of a model: rows of the embedding table and their gradients, losses and theirs.
import goalTargets from '../../../shaders/lib/train/goal_targets.wgsl?raw';
import goalTeacher from '../../../shaders/lib/train/goal_teacher.wgsl?raw';
import positionsLearned from '../../../shaders/lib/train/row_positions_learned.wgsl?raw';
import positionsNone from '../../../shaders/lib/train/row_positions_none.wgsl?raw';
import rowAlone from '../../../shaders/lib/train/softmax_row_alone.wgsl?raw';
import rowShared from '../../../shaders/lib/train/softmax_row_shared.wgsl?raw';
import numbersLib from '../../../shaders/lib/numbers.wgsl?raw';
import crossEntropySource from '../../../shaders/train/cross_entropy.wgsl?raw';
import embedBackSource from '../../../shaders/train/embed_back.wgsl?raw';
import embedRowsSource from '../../../shaders/train/embed_rows.wgsl?raw';
import type { DeviceFacts } from '../../device/deviceFacts.ts';
import { structLayout } from '../../device/structs.ts';
import { link } from '../../device/wgsl.ts';
import type { Grid, Kernel } from '../kernel.ts';
import { foldedGrid } from './grid.ts';

const WG_SIZE = 64;

/** A target that counts for nothing: loss 0, gradient 0. */
export const NO_TARGET = 0xffffffff;

/** Rows of tokens: `width` elements each, a multiple of 4; a sequence has `length` of them. */
export interface EmbedRowsSizes {
  readonly rows: number;
  readonly width: number;
  readonly length: number;
}

/** Embeds tokens; `positions`: adds a learned row for the place of each in its sequence. */
export function embedRows({ positions }: { readonly positions: boolean }): Kernel {
  const libs = [positions ? positionsLearned : positionsNone];
  return { name: 'embed_rows', source: link({ kernel: embedRowsSource, libs, consts: { WG_SIZE } }) };
}

export function embedRowsGrid({ rows, width }: Pick<EmbedRowsSizes, 'rows' | 'width'>): Grid {
  return foldedGrid(Math.ceil((rows * width) / 4 / WG_SIZE));
}

const EMBED_ROWS = structLayout(embedRowsSource, 'EmbedRowsNumbers', {
  rows: 'u32',
  width: 'u32',
  length: 'u32',
});

/** The words of its `numbers` binding. */
export function embedRowsNumbers({ rows, width, length }: EmbedRowsSizes): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(EMBED_ROWS.words);
  words[EMBED_ROWS.word.rows] = rows;
  words[EMBED_ROWS.word.width] = width;
  words[EMBED_ROWS.word.length] = length;
  return words;
}

/** Lists of rows, an id each (src/numbers/rowLists.ts), and the elements of a row, a multiple of 4. */
export interface EmbedBackSizes {
  /** Entries that are read: no fewer than there are; others have empty lists, as zeros are. */
  readonly entries: number;
  readonly width: number;
}

/** Adds gradients of embedded rows to the gradient of the table. */
export function embedBack(): Kernel {
  return { name: 'embed_back', source: link({ kernel: embedBackSource, libs: [], consts: { WG_SIZE } }) };
}

export function embedBackGrid({ entries, width }: EmbedBackSizes): Grid {
  return foldedGrid(Math.ceil((entries * width) / 4 / WG_SIZE));
}

const EMBED_BACK = structLayout(embedBackSource, 'EmbedBackNumbers', { entries: 'u32', width: 'u32' });

/** The words of its `numbers` binding. */
export function embedBackNumbers({ entries, width }: EmbedBackSizes): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(EMBED_BACK.words);
  words[EMBED_BACK.word.entries] = entries;
  words[EMBED_BACK.word.width] = width;
  return words;
}

/** Rows of logits: `vocab` of them each, `stride` elements from a row to the next, a multiple of 4. */
export interface CrossEntropySizes {
  readonly rows: number;
  readonly vocab: number;
  readonly stride: number;
  /** Of the gradients: 1 / rows that count, for the gradient of their mean. */
  readonly scale: number;
}

/** What varies of it. */
export interface CrossEntropyKind {
  /** The goal of a row is a teacher's softmax, and not a wanted token. */
  readonly teacher: boolean;
}

type Kind = Pick<DeviceFacts, 'software'>;

// Invocations of a workgroup: each has a row of its own on a CPU, where they would wait for each other; on a GPU they share one.
const wgSizeOf = ({ software }: Kind) => (software ? 16 : 64);

/** Losses of rows of logits, which become their gradients. */
export function crossEntropy({ teacher }: CrossEntropyKind, facts: Kind): Kernel {
  const libs = [facts.software ? rowAlone : rowShared, teacher ? goalTeacher : goalTargets, numbersLib];
  const consts = { WG_SIZE: wgSizeOf(facts) };
  return { name: 'cross_entropy', source: link({ kernel: crossEntropySource, libs, consts }) };
}

export function crossEntropyGrid({ rows }: Pick<CrossEntropySizes, 'rows'>, facts: Kind): Grid {
  return foldedGrid(facts.software ? Math.ceil(rows / wgSizeOf(facts)) : rows);
}

const CROSS_ENTROPY = structLayout(crossEntropySource, 'CrossEntropyNumbers', {
  rows: 'u32',
  vocab: 'u32',
  stride: 'u32',
  scale: 'f32',
});

/** The words of its `numbers` binding. */
export function crossEntropyNumbers({
  rows,
  vocab,
  stride,
  scale,
}: CrossEntropySizes): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(CROSS_ENTROPY.words);
  words[CROSS_ENTROPY.word.rows] = rows;
  words[CROSS_ENTROPY.word.vocab] = vocab;
  words[CROSS_ENTROPY.word.stride] = stride;
  new Float32Array(words.buffer)[CROSS_ENTROPY.word.scale] = scale;
  return words;
}

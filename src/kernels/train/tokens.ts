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
import { link } from '../../device/wgsl.ts';
import type { Grid, Kernel } from '../kernel.ts';
import { foldedGrid } from './grid.ts';
import { numbersOf } from './numbers.ts';

const WG_SIZE = 64;

/** A target that counts for nothing: loss 0, gradient 0. */
export const NO_TARGET = 0xffffffff;

/** Embeds tokens; `positions`: adds a learned row for the place of each in its sequence. */
export function embedRows({ positions }: { readonly positions: boolean }): Kernel {
  const libs = [positions ? positionsLearned : positionsNone];
  return { name: 'embed_rows', source: link({ kernel: embedRowsSource, libs, consts: { WG_SIZE } }) };
}

/** Workgroups for so many rows of `width` elements, a multiple of 4. */
export function embedRowsGrid({ rows, width }: { readonly rows: number; readonly width: number }): Grid {
  return foldedGrid(Math.ceil((rows * width) / 4 / WG_SIZE));
}

/** The words of its `numbers` binding; a sequence has `length` rows. */
export const embedRowsNumbers = numbersOf(embedRowsSource, 'EmbedRowsNumbers', {
  rows: 'u32',
  width: 'u32',
  length: 'u32',
});

/** Adds gradients of embedded rows to the gradient of the table, by the lists of rows that have an id (src/numbers/rowLists.ts). */
export function embedBack(): Kernel {
  return { name: 'embed_back', source: link({ kernel: embedBackSource, libs: [], consts: { WG_SIZE } }) };
}

/** Workgroups for so many entries, and rows of `width` elements, a multiple of 4. */
export function embedBackGrid({
  entries,
  width,
}: {
  readonly entries: number;
  readonly width: number;
}): Grid {
  return foldedGrid(Math.ceil((entries * width) / 4 / WG_SIZE));
}

/** The words of its `numbers` binding; there may be more entries than ids, with empty lists: zeros. */
export const embedBackNumbers = numbersOf(embedBackSource, 'EmbedBackNumbers', {
  entries: 'u32',
  width: 'u32',
});

/** What varies of cross_entropy. */
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

/** Workgroups for so many rows. */
export function crossEntropyGrid({ rows }: { readonly rows: number }, facts: Kind): Grid {
  return foldedGrid(facts.software ? Math.ceil(rows / wgSizeOf(facts)) : rows);
}

/**
 * The words of its `numbers` binding: `vocab` logits in each row, rows `stride` elements apart, a multiple of 4; gradients are multiplied by
 * `scale`: 1 / rows that count, for the gradient of their mean.
 */
export const crossEntropyNumbers = numbersOf(crossEntropySource, 'CrossEntropyNumbers', {
  rows: 'u32',
  vocab: 'u32',
  stride: 'u32',
  scale: 'f32',
});

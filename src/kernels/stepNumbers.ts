// stepNumbers.ts: the contents of the `step` binding, by the structs that lib/step.wgsl declares.
import source from '../../shaders/lib/step.wgsl?raw';
import { structLayout } from '../device/structs.ts';

const STEP = structLayout(source, 'Step', {
  capacity: 'u32',
  batch: 'u32',
  k_scales: 'u32',
  v_scales: 'u32',
  sm_scale: 'f32',
  trees: 'u32',
});
const SEQUENCE = structLayout(source, 'Sequence', {
  kv_len: 'u32',
  first_state: 'u32',
  num_splits: 'u32',
  first_page: 'u32',
});
const ITEM = structLayout(source, 'Item', { sequence: 'u32', begin: 'u32', end: 'u32', state: 'u32' });

/** What all of a step has in common. */
export interface StepHeader {
  /** Token slots per KV head. */
  readonly capacity: number;
  /** Where the scales of K and of V begin, as an index of 16-byte words. */
  readonly kScales: number;
  readonly vScales: number;
  readonly smScale: number;
}

/** A sequence: tokens to attend to, and the partial states of its splits; one that is a single item has none. */
export interface StepSequence {
  readonly kvLen: number;
  readonly firstState: number;
  readonly numSplits: number;
  /** Numbers of its pages, the first tokens' first; a cache without pages has none. */
  readonly pages?: readonly number[];
}

/** A sequence, or one of its splits: keys `begin` to `end` - 1. Without a state it is all of its sequence. */
export interface StepItem {
  readonly sequence: number;
  readonly begin: number;
  readonly end: number;
  readonly state?: number;
}

/** Words of a position's bits, in 16 bytes. */
const TREE_WORDS = 4;

/** What the `step` binding may hold behind its items. */
export interface StepLists {
  /** Positions with trees. */
  readonly treePositions?: number;
  /** Pages of all sequences. */
  readonly pages?: number;
}

/** Words of the `step` binding for so many sequences and items. */
export function stepWordCount(batch: number, items: number, lists: StepLists = {}): number {
  const { treePositions = 0, pages = 0 } = lists;
  const table = batch * SEQUENCE.words + items * ITEM.words + treePositions * TREE_WORDS;
  return STEP.words + table + Math.ceil(pages / 4) * 4;
}

/** The words of the `step` binding. `trees`: of each sequence's positions, bits for the step's own keys, the first one's the lowest. */
export function packStep(
  { capacity, kScales, vScales, smScale }: StepHeader,
  sequences: readonly StepSequence[],
  items: readonly StepItem[],
  trees: readonly bigint[] = [],
): Uint32Array<ArrayBuffer> {
  const pages = sequences.reduce((sum, sequence) => sum + (sequence.pages?.length ?? 0), 0);
  const lists = { treePositions: trees.length, pages };
  const words = new Uint32Array(stepWordCount(sequences.length, items.length, lists));
  words[STEP.word.capacity] = capacity;
  words[STEP.word.batch] = sequences.length;
  words[STEP.word.k_scales] = kScales;
  words[STEP.word.v_scales] = vScales;
  new Float32Array(words.buffer)[STEP.word.sm_scale] = smScale;
  let at = STEP.words;
  let page = stepWordCount(sequences.length, items.length, { treePositions: trees.length });
  for (const { kvLen, firstState, numSplits, pages: own = [] } of sequences) {
    words[at + SEQUENCE.word.kv_len] = kvLen;
    words[at + SEQUENCE.word.first_state] = firstState;
    words[at + SEQUENCE.word.num_splits] = numSplits;
    if (own.length > 0) words[at + SEQUENCE.word.first_page] = page - STEP.words;
    words.set(own, page);
    page += own.length;
    at += SEQUENCE.words;
  }
  for (const { sequence, begin, end, state } of items) {
    words[at + ITEM.word.sequence] = sequence;
    words[at + ITEM.word.begin] = begin;
    words[at + ITEM.word.end] = end;
    words[at + ITEM.word.state] = state === undefined ? 0 : state + 1;
    at += ITEM.words;
  }
  words[STEP.word.trees] = trees.length > 0 ? (at - STEP.words) / 4 : 0;
  for (const bits of trees) {
    words[at] = Number(bits & 0xffff_ffffn);
    words[at + 1] = Number(bits >> 32n);
    at += TREE_WORDS;
  }
  return words;
}

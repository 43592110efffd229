// stepNumbers.ts: the contents of the `step` binding, by the structs that lib/step.wgsl declares.
import source from '../../shaders/lib/step.wgsl?raw';
import { structLayout } from '../device/structs.ts';
import type { RowPlaces } from './rowPlaces.ts';

/** Elements of a vec4, by which shaders count. */
const VEC4 = 4;

const STEP = structLayout(source, 'Step', {
  capacity: 'u32',
  batch: 'u32',
  k_scales: 'u32',
  v_scales: 'u32',
  sm_scale: 'f32',
  num_q_heads: 'u32',
  rows: 'u32',
  q_head: 'u32',
  q_position: 'u32',
  o_head: 'u32',
  o_position: 'u32',
  lse_head: 'u32',
  lse_position: 'u32',
  trees: 'u32',
  first_head: 'u32',
  heads: 'u32',
  head_pages: 'u32',
});
const SEQUENCE = structLayout(source, 'Sequence', {
  kv_len: 'u32',
  first_state: 'u32',
  num_splits: 'u32',
  q_len: 'u32',
  q_start: 'u32',
  o_start: 'u32',
  lse_start: 'u32',
  first_page: 'u32',
});
const ITEM = structLayout(source, 'Item', { sequence: 'u32', begin: 'u32', end: 'u32', state: 'u32' });

/** What all of a step has in common. */
export interface StepHeader {
  /** Token slots per KV head. */
  readonly capacity: number;
  /** Pages that each KV head has in a segment of a cache of pages. */
  readonly headPages?: number;
  /** Where the scales of K and of V begin, as an index of 16-byte words. */
  readonly kScales: number;
  readonly vScales: number;
  readonly smScale: number;
  readonly numQHeads: number;
  /** Rows of a KV head of the sequence with the most query positions. */
  readonly rows: number;
  /** Where rows lie: of q and o in elements, multiples of 4; of lse in numbers. */
  readonly q: Pick<RowPlaces, 'head' | 'position'>;
  readonly o: Pick<RowPlaces, 'head' | 'position'>;
  readonly lse: Pick<RowPlaces, 'head' | 'position'>;
  /** KV heads of a segment, counted over all sequences, and how many come before them. Default: it has all. */
  readonly firstHead?: number;
  readonly heads?: number;
}

/**
 * A sequence: tokens to attend to, query positions and where its first row lies, in the units of the header; the partial states of its
 * splits: one that is a single item has none.
 */
export interface StepSequence {
  readonly kvLen: number;
  readonly qLen: number;
  readonly qStart: number;
  readonly oStart: number;
  readonly lseStart: number;
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

/**
 * The words of the `step` binding. `trees`: of as many positions for each sequence as the one with the most has, bits for the step's own
 * keys, the first one's the lowest.
 */
export function packStep(
  header: StepHeader,
  sequences: readonly StepSequence[],
  items: readonly StepItem[],
  trees: readonly bigint[] = [],
): Uint32Array<ArrayBuffer> {
  const pages = sequences.reduce((sum, sequence) => sum + (sequence.pages?.length ?? 0), 0);
  const lists = { treePositions: trees.length, pages };
  const words = new Uint32Array(stepWordCount(sequences.length, items.length, lists));
  packHeader(words, header, sequences.length);
  let at = STEP.words;
  let page = stepWordCount(sequences.length, items.length, { treePositions: trees.length });
  for (const sequence of sequences) {
    packSequence(words, at, sequence);
    const { pages: own } = sequence;
    if (own !== undefined && own.length > 0) {
      words[at + SEQUENCE.word.first_page] = page - STEP.words;
      words.set(own, page);
      page += own.length;
    }
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

function packHeader(words: Uint32Array<ArrayBuffer>, header: StepHeader, batch: number): void {
  const { q, o, lse } = header;
  words[STEP.word.capacity] = header.capacity;
  words[STEP.word.batch] = batch;
  words[STEP.word.head_pages] = header.headPages ?? 0;
  words[STEP.word.k_scales] = header.kScales;
  words[STEP.word.v_scales] = header.vScales;
  new Float32Array(words.buffer)[STEP.word.sm_scale] = header.smScale;
  words[STEP.word.num_q_heads] = header.numQHeads;
  words[STEP.word.rows] = header.rows;
  words[STEP.word.q_head] = q.head / VEC4;
  words[STEP.word.q_position] = q.position / VEC4;
  words[STEP.word.o_head] = o.head / VEC4;
  words[STEP.word.o_position] = o.position / VEC4;
  words[STEP.word.lse_head] = lse.head;
  words[STEP.word.lse_position] = lse.position;
  words[STEP.word.first_head] = header.firstHead ?? 0;
  words[STEP.word.heads] = header.heads ?? 0;
}

function packSequence(words: Uint32Array, at: number, sequence: StepSequence): void {
  words[at + SEQUENCE.word.kv_len] = sequence.kvLen;
  words[at + SEQUENCE.word.first_state] = sequence.firstState;
  words[at + SEQUENCE.word.num_splits] = sequence.numSplits;
  words[at + SEQUENCE.word.q_len] = sequence.qLen;
  words[at + SEQUENCE.word.q_start] = sequence.qStart / VEC4;
  words[at + SEQUENCE.word.o_start] = sequence.oStart / VEC4;
  words[at + SEQUENCE.word.lse_start] = sequence.lseStart;
}

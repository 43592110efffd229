// appendKv.ts: writes new K and V rows into a cache (shaders/cache/append_kv.wgsl).
import source from '../../shaders/cache/append_kv.wgsl?raw';
import steps from '../../shaders/lib/steps.wgsl?raw';
import storeBf16 from '../../shaders/lib/store_bf16.wgsl?raw';
import storeF16 from '../../shaders/lib/store_f16.wgsl?raw';
import storeF32 from '../../shaders/lib/store_f32.wgsl?raw';
import storeInt4 from '../../shaders/lib/store_int4.wgsl?raw';
import storeInt8 from '../../shaders/lib/store_int8.wgsl?raw';
import { structLayout } from '../device/structs.ts';
import { link, qualified } from '../device/wgsl.ts';
import { ELEMENT_FORMATS, type KvType, type LostElements } from '../numbers/elements.ts';
import { appendLibs, F32_SOURCES, sourceLib, type AppendedRows } from './appendLibs.ts';
import type { Grid, Kernel } from './kernel.ts';
import { appendRowsLib, rowDim, type CacheFormat } from './lib.ts';
import { HALVES } from './rowFormats.ts';
import { rowStart, type RowPlaces } from './rowPlaces.ts';
import type { GqaShape, HeadDims } from './shape.ts';

const STORE: Readonly<Record<KvType, string>> = {
  f32: storeF32,
  f16: storeF16,
  bf16: storeBf16,
  int8: storeInt8,
  int4: storeInt4,
};

/** The linked kernel for caches of such rows. New rows are stored as they are unless `before` says otherwise. */
export function appendKv(
  rows: HeadDims & Pick<GqaShape, 'numKvHeads'> & CacheFormat,
  before: AppendedRows = {},
): Kernel {
  const { headDim, vHeadDim, kType, vType } = rows;
  const { types: sources = F32_SOURCES } = before;
  const rowLibs = [
    sourceLib('k', sources),
    sourceLib('v', sources),
    storeLib('k', kType),
    storeLib('v', vType),
  ];
  const types: KvType[] = [kType, vType, sources.k, sources.v, sources.q];
  const quantised = types.some((type) => ELEMENT_FORMATS[type].scale !== 'none');
  const numbers = [...(quantised ? [steps] : []), ...(types.includes('f16') ? [HALVES] : [])];
  const places = appendRowsLib(rows.numKvHeads, rows);
  const libs = [...rowLibs, ...numbers, places, ...appendLibs(headDim, before)];
  const consts = { HEAD_DIM: headDim, V_DIM: vHeadDim, WG_SIZE: Math.max(headDim, vHeadDim) / 2 };
  return { name: 'append_kv', source: link({ kernel: source, libs, consts }) };
}

function storeLib(name: 'k' | 'v', type: KvType): string {
  return qualified(name, [rowDim(name), STORE[type]].join('\n'), ['cache']);
}

/** How many heads an append has to do with. */
export interface AppendHeads {
  readonly numKvHeads: number;
  /** Those whose queries are turned; 0 for none. */
  readonly numQHeads: number;
}

/**
 * Workgroups that append at most `numTokens` tokens to each of `batch` sequences: a pair of slots each, the first may be half
 * old; behind them those with two rows of q each.
 */
export function appendGrid(batch: number, { numKvHeads, numQHeads }: AppendHeads, numTokens: number): Grid {
  const pairs = Math.floor(numTokens / 2) + 1;
  return [pairs, numKvHeads + Math.ceil((numQHeads * numTokens) / (2 * pairs)), batch];
}

const STEP = structLayout(source, 'AppendStep', {
  capacity: 'u32',
  k_scales: 'u32',
  v_scales: 'u32',
  batch: 'u32',
  num_kv_heads: 'u32',
  k_head: 'u32',
  k_token: 'u32',
  v_head: 'u32',
  v_token: 'u32',
  q_head: 'u32',
  q_token: 'u32',
  head_pages: 'u32',
});

/** What stays the same over all appends to a cache; scales begin at an index of 16-byte words. */
interface AppendLayout {
  readonly batch: number;
  readonly numKvHeads: number;
  readonly capacity: number;
  readonly kScales: number;
  readonly vScales: number;
  /** In a cache of pages: the most that an append writes to, and those that each KV head has in a segment. */
  readonly mostPages?: number | undefined;
  readonly headPages?: number | undefined;
}

/** Lists of a number for each sequence: lengths, new tokens, and where rows of k, v and q begin. */
const LISTS = 5;

/** Words of the kernel's `step` binding for so many sequences, and pages of all of them, if they have any. */
function appendWordCount(batch: number, pages?: number): number {
  return STEP.words + LISTS * batch + (pages === undefined ? 0 : batch + pages);
}

/** Words of the `step` binding for `setAppended` to complete, and `setAppendedPages`. */
export function appendStepWords({
  batch,
  numKvHeads,
  capacity,
  kScales,
  vScales,
  mostPages,
  headPages = 0,
}: AppendLayout): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(appendWordCount(batch, mostPages));
  words[STEP.word.capacity] = capacity;
  words[STEP.word.k_scales] = kScales * 4;
  words[STEP.word.v_scales] = vScales * 4;
  words[STEP.word.batch] = batch;
  words[STEP.word.num_kv_heads] = numKvHeads;
  words[STEP.word.head_pages] = headPages;
  return words;
}

/** Where rows lie in k, v and, where there are queries, q: positions are new tokens. */
export interface SourcePlaces {
  readonly k: RowPlaces;
  readonly v: RowPlaces;
  readonly q?: RowPlaces;
}

/** Elements of a vec4, by which the shader counts. */
const VEC4 = 4;

/** Some of the new tokens: of each sequence, [B], how many come before them, and how many they are. */
export interface TokenRun {
  readonly skipped: ArrayLike<number>;
  readonly taken: ArrayLike<number>;
  /** KV heads that they are stored of, as those of a cache of their own. Default: all. */
  readonly heads?: {
    readonly firstSequence: number;
    readonly sequences: number;
    readonly firstHead: number;
    readonly heads: number;
  };
}

/**
 * Says how many new rows each sequence takes of each head, where they lie, and how many tokens it holds: of all new tokens, or of a
 * run of them. Returns how many words there are then. Allocates nothing.
 */
export function setAppended(
  words: Uint32Array,
  { k, v, q }: SourcePlaces,
  kvLens: readonly number[],
  numTokens: ArrayLike<number>,
  run?: TokenRun,
): number {
  words[STEP.word.k_head] = k.head / VEC4;
  words[STEP.word.k_token] = k.position / VEC4;
  words[STEP.word.v_head] = v.head / VEC4;
  words[STEP.word.v_token] = v.position / VEC4;
  words[STEP.word.q_head] = q === undefined ? 0 : q.head / VEC4;
  words[STEP.word.q_token] = q === undefined ? 0 : q.position / VEC4;
  const heads = run?.heads;
  const first = heads === undefined ? 0 : heads.firstSequence;
  const batch = heads === undefined ? kvLens.length : heads.sequences;
  const head = heads === undefined ? 0 : heads.firstHead;
  if (heads !== undefined) {
    words[STEP.word.batch] = batch;
    words[STEP.word.num_kv_heads] = heads.heads;
  }
  let before = 0;
  for (let b = 0; b < first + batch; b++) {
    if (b >= first) {
      const at = STEP.words + b - first;
      const skipped = run === undefined ? 0 : run.skipped[b]!;
      words[at] = kvLens[b]! + skipped;
      words[at + batch] = run === undefined ? numTokens[b]! : run.taken[b]!;
      words[at + 2 * batch] = (rowStart(k, b, before) + head * k.head + skipped * k.position) / VEC4;
      words[at + 3 * batch] = (rowStart(v, b, before) + head * v.head + skipped * v.position) / VEC4;
      words[at + 4 * batch] = q === undefined ? 0 : (rowStart(q, b, before) + skipped * q.position) / VEC4;
    }
    before += numTokens[b]!;
  }
  return appendWordCount(batch);
}

/** Pages of the sequences of a cache. */
interface SequencePages {
  pagesOf(b: number): readonly number[];
}

/**
 * Lists the pages that the new tokens go to, as they are counted from the first one of a segment, behind what `setAppended` has written;
 * returns how many words there are then. Allocates nothing.
 */
export function setAppendedPages(
  words: Uint32Array,
  batch: number,
  tables: SequencePages,
  pageSize: number,
  firstPage = 0,
): number {
  const lens = STEP.words;
  const firsts = lens + LISTS * batch;
  let at = firsts + batch;
  for (let b = 0; b < batch; b++) {
    const pages = tables.pagesOf(b);
    const held = words[lens + b]!;
    const numTokens = words[lens + batch + b]!;
    const before = Math.floor(held / pageSize);
    const end = numTokens === 0 ? before : Math.ceil((held + numTokens) / pageSize);
    words[firsts + b] = at - lens - before; // below 0 wraps, and back again where the shader adds a token's page
    for (let page = before; page < end; page++) words[at++] = pages[page]! - firstPage;
  }
  return at;
}

/** u32 words of the kernel's `status` binding. */
export const APPEND_STATUS_WORDS = 7;

/** What the kernel has counted in a `status` binding since it was zero; counts start again at 0 after 2^32 - 1. */
export interface AppendStatus {
  readonly executed: number;
  readonly k: LostElements;
  readonly v: LostElements;
}

/** Reads a `status` binding. */
export function appendStatus(words: Uint32Array): AppendStatus {
  const lost = (first: number): LostElements => ({
    notFinite: words[first]!,
    saturated: words[first + 1]!,
    vanished: words[first + 2]!,
  });
  return { executed: words[0]!, k: lost(1), v: lost(4) };
}

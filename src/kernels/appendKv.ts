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
import { appendLibs, type AppendedRows } from './appendLibs.ts';
import type { Grid, Kernel } from './kernel.ts';
import { appendRowsLib, rowDim, type CacheFormat } from './lib.ts';
import { HALVES } from './rowFormats.ts';
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
  const stores = [storeLib('k', kType), storeLib('v', vType)];
  const types = [kType, vType];
  const quantised = types.some((type) => ELEMENT_FORMATS[type].scale !== 'none');
  const numbers = [...(quantised ? [steps] : []), ...(types.includes('f16') ? [HALVES] : [])];
  const places = appendRowsLib(rows.numKvHeads, rows);
  const libs = [...stores, ...numbers, places, ...appendLibs(headDim, before)];
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
  num_rows: 'u32',
  capacity: 'u32',
  k_scales: 'u32',
  v_scales: 'u32',
  batch: 'u32',
  num_kv_heads: 'u32',
});

/** What stays the same over all appends to a cache; scales begin at an index of 16-byte words. */
interface AppendLayout {
  readonly batch: number;
  readonly numKvHeads: number;
  readonly capacity: number;
  readonly kScales: number;
  readonly vScales: number;
  /** Most pages that an append writes to, in a cache of pages. */
  readonly mostPages?: number | undefined;
}

/** Words of the kernel's `step` binding for so many sequences, and pages of all of them, if they have any. */
function appendWordCount(batch: number, pages?: number): number {
  return STEP.words + (pages === undefined ? 2 * batch : 3 * batch + pages);
}

/** Words of the `step` binding for `setAppended` to complete, and `setAppendedPages`. */
export function appendStepWords({
  batch,
  numKvHeads,
  capacity,
  kScales,
  vScales,
  mostPages,
}: AppendLayout): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(appendWordCount(batch, mostPages));
  words[STEP.word.capacity] = capacity;
  words[STEP.word.k_scales] = kScales * 4;
  words[STEP.word.v_scales] = vScales * 4;
  words[STEP.word.batch] = batch;
  words[STEP.word.num_kv_heads] = numKvHeads;
  return words;
}

/** Says how many of a head's `numRows` new rows each sequence takes, and how many tokens it holds. */
export function setAppended(
  words: Uint32Array,
  numRows: number,
  kvLens: readonly number[],
  numTokens: ArrayLike<number>,
): void {
  words[STEP.word.num_rows] = numRows;
  words.set(kvLens, STEP.words);
  words.set(numTokens, STEP.words + kvLens.length);
}

/** The pages of a sequence that an append writes to. */
export interface AppendedPages {
  /** Pages of the sequence before those. */
  readonly before: number;
  readonly pages: readonly number[];
}

/** Lists the pages behind the lengths; returns how many words there are then. */
export function setAppendedPages(words: Uint32Array, sequences: readonly AppendedPages[]): number {
  const lens = STEP.words;
  const firsts = lens + 2 * sequences.length;
  let at = firsts + sequences.length;
  for (const [b, { before, pages }] of sequences.entries()) {
    words[firsts + b] = at - lens - before; // below 0 wraps, and back again where the shader adds a token's page
    words.set(pages, at);
    at += pages.length;
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

// lib.ts: the lib shaders that several kernels link, and those that a KV cache's element types choose.
import elementsBf16 from '../../shaders/lib/elements_bf16.wgsl?raw';
import elementsF16 from '../../shaders/lib/elements_f16.wgsl?raw';
import elementsF32 from '../../shaders/lib/elements_f32.wgsl?raw';
import elementsInt4 from '../../shaders/lib/elements_int4.wgsl?raw';
import elementsInt4Bits from '../../shaders/lib/elements_int4_bits.wgsl?raw';
import elementsInt8 from '../../shaders/lib/elements_int8.wgsl?raw';
import elementsInt8Bits from '../../shaders/lib/elements_int8_bits.wgsl?raw';
import headsAll from '../../shaders/lib/heads_all.wgsl?raw';
import headsSegment from '../../shaders/lib/heads_segment.wgsl?raw';
import numbers from '../../shaders/lib/numbers.wgsl?raw';
import rescaleAlways from '../../shaders/lib/rescale_always.wgsl?raw';
import rescaleSeldom from '../../shaders/lib/rescale_seldom.wgsl?raw';
import placeKept from '../../shaders/lib/place_kept.wgsl?raw';
import placeShared from '../../shaders/lib/place_shared.wgsl?raw';
import pagesAppend from '../../shaders/lib/pages_append.wgsl?raw';
import pagesStep from '../../shaders/lib/pages_step.wgsl?raw';
import rowsContiguous from '../../shaders/lib/rows_contiguous.wgsl?raw';
import rowsRing from '../../shaders/lib/rows_ring.wgsl?raw';
import rowsPaged from '../../shaders/lib/rows_paged.wgsl?raw';
import scalesBlock from '../../shaders/lib/scales_block.wgsl?raw';
import scalesNone from '../../shaders/lib/scales_none.wgsl?raw';
import scalesRow from '../../shaders/lib/scales_row.wgsl?raw';
import step from '../../shaders/lib/step.wgsl?raw';
import subgroup from '../../shaders/lib/subgroup.wgsl?raw';
import words16 from '../../shaders/lib/words_16.wgsl?raw';
import words4 from '../../shaders/lib/words_4.wgsl?raw';
import words8 from '../../shaders/lib/words_8.wgsl?raw';
import { ShapeError } from '../device/errors.ts';
import { checkOneOf, describe, isObject } from '../device/options.ts';
import { qualified } from '../device/wgsl.ts';
import {
  ELEMENT_FORMATS,
  type ElementFormat,
  type KvType,
  KV_TYPES,
  type WordBytes,
  wordVec4s,
} from '../numbers/elements.ts';
import type { GqaShape } from './shape.ts';

/** What the kernels need to know of a cache: the element types of K and V, and how large its pages are, if it has any. */
export interface CacheFormat {
  readonly kType: KvType;
  readonly vType: KvType;
  /** Tokens of a page, even. Default: none, each sequence has its slots one behind the other. */
  readonly pageSize?: number;
  /** Default: none, each token has a slot of its own. */
  readonly ring?: RingSlots;
  /** Bindings that K, or V, of a layer is spread over: by pages, else by KV heads. Default 1. */
  readonly segments?: number;
}

/** Whether a binding has only some of a layer's KV heads. */
export function spreadsHeads({
  pageSize,
  segments = 1,
}: Pick<CacheFormat, 'pageSize' | 'segments'>): boolean {
  return pageSize === undefined && segments > 1;
}

/** Slots of a head in a layer with a ring, all of them and those before the ring; both even. */
export interface RingSlots {
  readonly slots: number;
  readonly sinkSlots: number;
}

/** Throws ShapeError unless both element types are there. */
export function checkFormat(where: string, format: CacheFormat): void {
  if (!isObject(format)) {
    throw new ShapeError(`${where}: expected a cache's layout, got ${describe(format)}`);
  }
  checkOneOf(`${where}: kType`, format.kType, KV_TYPES);
  checkOneOf(`${where}: vType`, format.vType, KV_TYPES);
}

export const STEP = step;
export const NUMBERS = numbers;
export const SUBGROUP = subgroup;

/** For a kernel that takes rows which lie one behind the other, and no pages. */
export const ROWS_IN_ONE = rowsContiguous;

/** Which KV heads a binding has. */
export function headsLib(cache: CacheFormat): string {
  return spreadsHeads(cache) ? headsSegment : headsAll;
}

/** Where a row lies, for kernels of steps. */
export function rowsLib({ pageSize, ring }: CacheFormat): string {
  if (ring) return ringRows(ring);
  return pageSize === undefined ? rowsContiguous : [pagedRows(pageSize), pagesStep].join('\n');
}

/** The same for append_kv. */
export function appendRowsLib(numKvHeads: number, { pageSize, ring }: CacheFormat): string {
  if (ring) return ringRows(ring);
  if (pageSize === undefined) return rowsContiguous;
  return [`const NUM_KV_HEADS = ${numKvHeads}u;`, pagedRows(pageSize), pagesAppend].join('\n');
}

function ringRows({ slots, sinkSlots }: RingSlots): string {
  return `const RING_SINKS = ${sinkSlots}u;\nconst RING_LENGTH = ${slots - sinkSlots}u;\n${rowsRing}`;
}

function pagedRows(pageSize: number): string {
  return `const PAGE_SIZE = ${pageSize}u;\n${rowsPaged}`;
}

/** Constants of lib step. */
export function stepConsts({ groupSize, numKvHeads, causal }: GqaShape) {
  return { GROUP_SIZE: groupSize, NUM_KV_HEADS: numKvHeads, CAUSAL: causal };
}

/** Constants of libs step and work for workgroups of so many rows. */
export function workConsts(shape: GqaShape, rowBlock: number) {
  return { ...stepConsts(shape), ROW_BLOCK: rowBlock, ONE_BLOCK: shape.rowsPerKvHead <= rowBlock };
}

/** Brings o to a round's maxima: always, or only where any has grown. */
export const RESCALE = { always: rescaleAlways, seldom: rescaleSeldom } as const;

/** Where a workgroup's place is while it walks along keys: a GPU's registers have no room for it, and a CPU's barriers are dear. */
export const PLACE = { gpu: placeShared, cpu: placeKept } as const;

/** Workgroup memory that it takes on a GPU. */
export const PLACE_BYTES = 16;

/** How integers become f32: converted, which is an instruction on a GPU, or made of bits, which is cheaper on a CPU. */
export type Unpacking = 'converted' | 'bits';

const ELEMENTS: Readonly<Record<Unpacking, Readonly<Record<KvType, string>>>> = {
  converted: {
    f32: elementsF32,
    f16: elementsF16,
    bf16: elementsBf16,
    int8: elementsInt8,
    int4: elementsInt4,
  },
  bits: {
    f32: elementsF32,
    f16: elementsF16,
    bf16: elementsBf16,
    int8: elementsInt8Bits,
    int4: elementsInt4Bits,
  },
};

const SCALES: Readonly<Record<ElementFormat['scale'], string>> = {
  none: scalesNone,
  row: scalesRow,
  block: scalesBlock,
};

const WORDS: Readonly<Record<WordBytes, string>> = { 4: words4, 8: words8, 16: words16 };

/** Reads K or V by words of so many bytes: a word, its elements, their scales, for kernels that bind `k_cache` or `v_cache`. */
export function elementsLib(name: 'k' | 'v', type: KvType, bytes: WordBytes, unpacking: Unpacking): string {
  const { scale } = ELEMENT_FORMATS[type];
  // A literal, because it bounds loops that are unrolled.
  const vec4s = `const WORD_VEC4S = ${wordVec4s(type, bytes)}u; // vectors of four elements`;
  const lib = [rowDim(name), WORDS[bytes], vec4s, ELEMENTS[unpacking][type], SCALES[scale]].join('\n');
  return qualified(name, lib, ['cache']);
}

/** What the libs that are linked for K and for V call the elements of their rows. */
export function rowDim(name: 'k' | 'v'): string {
  return `const ROW_DIM = ${name === 'k' ? 'HEAD_DIM' : 'V_DIM'};`;
}

/** Reads K by words of 16 bytes. */
export function kLib({ kType }: CacheFormat): string {
  return elementsLib('k', kType, 16, 'bits');
}

/** Reads V by words of 16 bytes. */
export function vLib({ vType }: CacheFormat): string {
  return elementsLib('v', vType, 16, 'bits');
}

/** Both. */
export function cacheLibs(format: CacheFormat): string[] {
  return [kLib(format), vLib(format)];
}

// lib.ts: the lib shaders that several kernels link, and those that a KV cache's element types choose.
import elementsBf16 from '../../shaders/lib/elements_bf16.wgsl?raw';
import elementsF16 from '../../shaders/lib/elements_f16.wgsl?raw';
import elementsF32 from '../../shaders/lib/elements_f32.wgsl?raw';
import elementsInt4 from '../../shaders/lib/elements_int4.wgsl?raw';
import elementsInt8 from '../../shaders/lib/elements_int8.wgsl?raw';
import lseDropped from '../../shaders/lib/lse_dropped.wgsl?raw';
import lseKept from '../../shaders/lib/lse_kept.wgsl?raw';
import numbers from '../../shaders/lib/numbers.wgsl?raw';
import rowsContiguous from '../../shaders/lib/rows_contiguous.wgsl?raw';
import step from '../../shaders/lib/step.wgsl?raw';
import subgroup from '../../shaders/lib/subgroup.wgsl?raw';
import work from '../../shaders/lib/work.wgsl?raw';
import { ShapeError } from '../device/errors.ts';
import { checkOneOf, describe, isObject } from '../device/options.ts';
import { qualified } from '../device/wgsl.ts';
import { type KvType, KV_TYPES } from '../numbers/elements.ts';

/** What the kernels need to know of a cache: the element types of K and V. */
export interface CacheFormat {
  readonly kType: KvType;
  readonly vType: KvType;
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
export const WORK = work;
export const SUBGROUP = subgroup;
export const ROWS = rowsContiguous;

/** Writes log-sum-exps, for kernels of steps that are asked for them; others drop them and need a binding less. */
export function lseLib(wanted: boolean): string {
  return wanted ? lseKept : lseDropped;
}

const ELEMENTS: Readonly<Record<KvType, string>> = {
  f32: elementsF32,
  f16: elementsF16,
  bf16: elementsBf16,
  int8: elementsInt8,
  int4: elementsInt4,
};

/** Reads K: k_unpack and the scales, for kernels that bind `k_cache`. */
export function kLib({ kType }: CacheFormat): string {
  return qualified('k', ELEMENTS[kType], ['cache']);
}

/** Reads V: v_unpack and the scales, for kernels that bind `v_cache`. */
export function vLib({ vType }: CacheFormat): string {
  return qualified('v', ELEMENTS[vType], ['cache']);
}

/** Both. */
export function cacheLibs(format: CacheFormat): string[] {
  return [kLib(format), vLib(format)];
}

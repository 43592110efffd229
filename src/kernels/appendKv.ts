// appendKv.ts: writes new K and V rows into a cache (shaders/append_kv.wgsl).
import source from '../../shaders/append_kv.wgsl?raw';
import storeBf16 from '../../shaders/lib/store_bf16.wgsl?raw';
import storeF16 from '../../shaders/lib/store_f16.wgsl?raw';
import storeF32 from '../../shaders/lib/store_f32.wgsl?raw';
import storeInt4 from '../../shaders/lib/store_int4.wgsl?raw';
import storeInt8 from '../../shaders/lib/store_int8.wgsl?raw';
import { link, qualified } from '../device/wgsl.ts';
import type { KvType } from './elements.ts';
import type { Grid, Kernel } from './kernel.ts';
import type { CacheFormat } from './lib.ts';

const STORE: Readonly<Record<KvType, string>> = {
  f32: storeF32,
  f16: storeF16,
  bf16: storeBf16,
  int8: storeInt8,
  int4: storeInt4,
};

/** The linked kernel for caches of `headDim` elements per head. */
export function appendKv(headDim: number, { kType, vType }: CacheFormat): Kernel {
  const libs = [qualified('k', STORE[kType], ['cache']), qualified('v', STORE[vType], ['cache'])];
  const consts = { HEAD_DIM: headDim, WG_SIZE: headDim / 2 };
  return { name: 'append_kv', source: link({ kernel: source, libs, consts }) };
}

/** Workgroups that append `numTokens` tokens to each of `batch` sequences: a pair of slots each, the first may be half old. */
export function appendGrid(batch: number, numKvHeads: number, numTokens: number): Grid {
  return [Math.floor(numTokens / 2) + 1, numKvHeads, batch];
}

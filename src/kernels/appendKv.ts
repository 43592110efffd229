// appendKv.ts: writes new K and V rows into a cache (shaders/append_kv.wgsl).
import source from '../../shaders/append_kv.wgsl?raw';
import { link } from '../device/wgsl.ts';
import { storeLibs, type CacheFormat } from './lib.ts';
import type { Grid, Kernel } from './kernel.ts';

const WG_SIZE = 64;

/** The linked kernel for caches of `headDim` elements per head. */
export function appendKv(headDim: number, cache: CacheFormat): Kernel {
  const consts = { HEAD_DIM: headDim, WG_SIZE };
  return { name: 'append_kv', source: link({ kernel: source, libs: storeLibs(cache), consts }) };
}

/** Workgroups that append `numTokens` tokens to each of `batch` sequences. */
export function appendGrid(batch: number, numKvHeads: number, headDim: number, numTokens: number): Grid {
  return [Math.ceil((numTokens * headDim) / 4 / WG_SIZE), numKvHeads, batch];
}

// lib.ts: the lib shaders by name, and those that a KV cache's element types choose.
import kF16 from '../../shaders/lib/k_f16.wgsl?raw';
import kF32 from '../../shaders/lib/k_f32.wgsl?raw';
import numbers from '../../shaders/lib/numbers.wgsl?raw';
import packF16 from '../../shaders/lib/pack_f16.wgsl?raw';
import step from '../../shaders/lib/step.wgsl?raw';
import storeKF16 from '../../shaders/lib/store_k_f16.wgsl?raw';
import storeKF32 from '../../shaders/lib/store_k_f32.wgsl?raw';
import storeVF16 from '../../shaders/lib/store_v_f16.wgsl?raw';
import storeVF32 from '../../shaders/lib/store_v_f32.wgsl?raw';
import vF16 from '../../shaders/lib/v_f16.wgsl?raw';
import vF32 from '../../shaders/lib/v_f32.wgsl?raw';
import type { KvType } from './elements.ts';

/** What the kernels need to know of a cache: the element types of K and V. */
export interface CacheFormat {
  readonly kType: KvType;
  readonly vType: KvType;
}

export const STEP = step;
export const NUMBERS = numbers;
export const LOAD_K: Readonly<Record<KvType, string>> = { f32: kF32, f16: kF16 };
export const LOAD_V: Readonly<Record<KvType, string>> = { f32: vF32, f16: vF16 };

const STORE_K: Readonly<Record<KvType, string>> = { f32: storeKF32, f16: storeKF16 };
const STORE_V: Readonly<Record<KvType, string>> = { f32: storeVF32, f16: storeVF16 };

/** The libs that append to a cache of this format. */
export function storeLibs({ kType, vType }: CacheFormat): string[] {
  const stores = [STORE_K[kType], STORE_V[vType]];
  return kType === 'f16' || vType === 'f16' ? [...stores, packF16] : stores;
}

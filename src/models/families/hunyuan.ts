// hunyuan.ts: Hunyuan.
import type { Family } from './family.ts';
import { MHA, typesOf } from './types.ts';

export const HUNYUAN: Family = {
  name: 'hunyuan',
  types: typesOf('hunyuan hunyuan_v1_dense hunyuan_v1_moe', MHA),
  formats: [],
};

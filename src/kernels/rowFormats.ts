// rowFormats.ts: the lib shaders that read queries and write outputs and log-sum-exps, by their element types.
import halves from '../../shaders/lib/halves.wgsl?raw';
import lseDropped from '../../shaders/lib/lse_dropped.wgsl?raw';
import lseKept from '../../shaders/lib/lse_kept.wgsl?raw';
import outputF16 from '../../shaders/lib/output_f16.wgsl?raw';
import outputF32 from '../../shaders/lib/output_f32.wgsl?raw';
import queryF16 from '../../shaders/lib/query_f16.wgsl?raw';
import queryF32 from '../../shaders/lib/query_f32.wgsl?raw';
import work from '../../shaders/lib/work.wgsl?raw';
import workSegment from '../../shaders/lib/work_segment.wgsl?raw';
import { renamed } from '../device/wgsl.ts';
import { headsLib, spreadsHeads, type CacheFormat } from './lib.ts';

/** Element types of queries, outputs and new tokens. */
export type RowType = 'f32' | 'f16';

export const ROW_TYPES: readonly RowType[] = ['f32', 'f16'];

/** What the kernels of a step read and write row by row: types of q and o, and whether log-sum-exps are written. */
export interface RowFormats {
  readonly q: RowType;
  readonly o: RowType;
  readonly lse: boolean;
}

export const HALVES = halves;

const QUERY: Readonly<Record<RowType, string>> = { f32: queryF32, f16: queryF16 };

export function queryLib({ q }: Pick<RowFormats, 'q'>): string {
  return QUERY[q];
}

export function outputLibs({ o }: Pick<RowFormats, 'o'>): string[] {
  return o === 'f32' ? [outputF32] : [outputF16, HALVES];
}

/** Writes log-sum-exps, for kernels of steps that are asked for them; others drop them and need a binding less. */
export function lseLib({ lse }: Pick<RowFormats, 'lse'>): string {
  return lse ? lseKept : lseDropped;
}

/** What a fused kernel works on, and the rows it reads and writes. */
export function workLibs(rows: RowFormats, cache: CacheFormat): string[] {
  const works = spreadsHeads(cache)
    ? [renamed(work, 'work_at', 'work_at_all'), workSegment, headsLib(cache)]
    : [work];
  return [...works, queryLib(rows), ...outputLibs(rows), lseLib(rows)];
}

// appendLibs.ts: what append_kv does with rows before it stores them: the libs for it.
import normNone from '../../shaders/lib/append/norm_none.wgsl?raw';
import normRms from '../../shaders/lib/append/norm_rms.wgsl?raw';
import pairsHalf from '../../shaders/lib/append/pairs_half.wgsl?raw';
import pairsInterleaved from '../../shaders/lib/append/pairs_interleaved.wgsl?raw';
import queriesNone from '../../shaders/lib/append/queries_none.wgsl?raw';
import queriesTurned from '../../shaders/lib/append/queries_turned.wgsl?raw';
import ropeHalf from '../../shaders/lib/append/rope_half.wgsl?raw';
import ropeInterleaved from '../../shaders/lib/append/rope_interleaved.wgsl?raw';
import ropeNone from '../../shaders/lib/append/rope_none.wgsl?raw';
import ropePairs from '../../shaders/lib/append/rope_pairs.wgsl?raw';
import turnedVec4 from '../../shaders/lib/append/turned_vec4.wgsl?raw';
import turnOf from '../../shaders/lib/append/turn_of.wgsl?raw';
import sourceF16 from '../../shaders/lib/source_f16.wgsl?raw';
import sourceF32 from '../../shaders/lib/source_f32.wgsl?raw';
import { qualified } from '../device/wgsl.ts';
import { ROPE_LOW, type RopeStyle } from '../numbers/rope.ts';
import type { RowType } from './rowFormats.ts';

/** What becomes of rows of K before they are stored; and of queries, where there are any. */
export interface AppendedRows {
  /** Turned by their positions. */
  readonly rope?: { readonly style: RopeStyle; readonly rotaryDim: number };
  /** Normalised, before that. */
  readonly norm?: boolean;
  /** Hq, where there are queries. */
  readonly numQHeads?: number;
  /** Element types of the rows that are read. Default f32. */
  readonly types?: SourceTypes;
}

/** Element types of rows of k, v and q. */
export interface SourceTypes {
  readonly k: RowType;
  readonly v: RowType;
  readonly q: RowType;
}

export const F32_SOURCES: SourceTypes = { k: 'f32', v: 'f32', q: 'f32' };

const SOURCES: Readonly<Record<RowType, string>> = { f32: sourceF32, f16: sourceF16 };

/** Reads rows of k, v or q, and writes those of q. */
export function sourceLib(name: keyof SourceTypes, types: SourceTypes): string {
  return qualified(name, SOURCES[types[name]]);
}

const PAIRS: Readonly<Record<RopeStyle, string>> = { half: pairsHalf, interleaved: pairsInterleaved };

/** The libs, with their constants. */
export function appendLibs(
  headDim: number,
  { rope, norm, numQHeads, types = F32_SOURCES }: AppendedRows,
): string[] {
  return [
    ...(norm ? [`const NORM_VEC4S = ${headDim / 2}u;`, normRms] : [normNone]),
    ...(rope ? ropeLibs(rope) : [ropeNone]),
    ...(numQHeads
      ? [`const NUM_Q_HEADS = ${numQHeads}u;`, queriesTurned, sourceLib('q', types)]
      : [queriesNone]),
  ];
}

/** By whole vec4s where pairs consist of such; by elements where not. */
const VEC4S: Readonly<Record<RopeStyle, { readonly lib: string; readonly multiple: number }>> = {
  half: { lib: ropeHalf, multiple: 8 },
  interleaved: { lib: ropeInterleaved, multiple: 4 },
};

function ropeLibs(rope: NonNullable<AppendedRows['rope']>): string[] {
  const { lib, multiple } = VEC4S[rope.style];
  if (rope.rotaryDim % multiple === 0) return [rotaryConsts(rope), turnedVec4, lib];
  return [ropePairs, ...turnLibs(rope)];
}

/** The turn of a pair at a position, and which elements are pairs; with their constants. */
export function turnLibs(rope: NonNullable<AppendedRows['rope']>): string[] {
  return [rotaryConsts(rope), turnOf, PAIRS[rope.style]];
}

function rotaryConsts({ rotaryDim }: NonNullable<AppendedRows['rope']>): string {
  return `const ROTARY_DIM = ${rotaryDim}u;\nconst ROPE_LOW = ${ROPE_LOW}u;`;
}

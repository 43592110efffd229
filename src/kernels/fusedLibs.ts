// fusedLibs.ts: the lib shaders and constants that all templates of the fused kernel have in common.
import { featureConsts, featureLibs } from './features.ts';
import { NUMBERS, rowsLib, STEP, workConsts, type CacheFormat } from './lib.ts';
import { workLibs, type RowFormats } from './rowFormats.ts';
import type { GqaShape } from './shape.ts';

/** A step, what a workgroup works on in it, where its keys lie, and what is done to their scores. */
export function fusedLibs(shape: GqaShape, cache: CacheFormat, rows: RowFormats): string[] {
  return [STEP, NUMBERS, ...workLibs(rows, cache), rowsLib(cache), ...featureLibs(shape)];
}

/** Their constants, for workgroups of so many rows. */
export function fusedConsts(shape: GqaShape, rowBlock: number) {
  const { headDim, vHeadDim } = shape;
  return { HEAD_DIM: headDim, V_DIM: vHeadDim, ...workConsts(shape, rowBlock), ...featureConsts(shape) };
}

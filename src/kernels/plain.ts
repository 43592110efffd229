// plain.ts: plain attention in three steps: grouped QK^T, softmax, AV (shaders/plain_*.wgsl). The yardstick.
import avSource from '../../shaders/plain/plain_av.wgsl?raw';
import scoresSource from '../../shaders/plain/plain_scores.wgsl?raw';
import softmaxSource from '../../shaders/plain/plain_softmax.wgsl?raw';
import { link } from '../device/wgsl.ts';
import { featureConsts, scoreLibs, sinkLibs } from './features.ts';
import type { Grid, Kernel } from './kernel.ts';
import { headsLib, kLib, NUMBERS, rowsLib, STEP, stepConsts, vLib, type CacheFormat } from './lib.ts';
import { lseLib, outputLibs, queryLib, type RowFormats } from './rowFormats.ts';
import type { GqaShape } from './shape.ts';

const WG_SIZE = 64;

/** scores = scale * q . k; grid [tiles of 64 keys, Lq * Hq, B]. */
export function plainScores(shape: GqaShape, cache: CacheFormat, rows: Pick<RowFormats, 'q'>): Kernel {
  const keys = [headsLib(cache), rowsLib(cache), kLib(cache)];
  const libs = [STEP, NUMBERS, queryLib(rows), ...keys, ...scoreLibs(allKeys(shape))];
  const consts = { HEAD_DIM: shape.headDim, ...maskConsts(shape), WG_SIZE };
  return { name: 'plain_scores', source: link({ kernel: scoresSource, libs, consts }) };
}

/** `qLen`: most query positions of a sequence. */
export function plainScoresGrid(shape: GqaShape, longestKvLen: number, qLen: number): Grid {
  return [Math.max(1, Math.ceil(longestKvLen / WG_SIZE)), shape.numQHeads * qLen, shape.batch];
}

/** scores -> weights, in place, and with `lse` the log-sum-exp; grid of `rowGrid`. */
export function plainSoftmax(shape: GqaShape, cache: CacheFormat, rows: Pick<RowFormats, 'lse'>): Kernel {
  const consts = { ...stepConsts(shape), WG_SIZE };
  const libs = [STEP, NUMBERS, headsLib(cache), lseLib(rows), ...sinkLibs(shape)];
  return { name: 'plain_softmax', source: link({ kernel: softmaxSource, libs, consts }) };
}

/** o = weights . v; grid of `rowGrid`. */
export function plainAv(shape: GqaShape, cache: CacheFormat, rows: Pick<RowFormats, 'o'>): Kernel {
  const consts = { V_DIM: shape.vHeadDim, ...maskConsts(shape) };
  const values = [headsLib(cache), rowsLib(cache), vLib(cache)];
  const libs = [STEP, NUMBERS, ...outputLibs(rows), ...values, ...scoreLibs(allKeys(shape))];
  return { name: 'plain_av', source: link({ kernel: avSource, libs, consts }) };
}

/** One workgroup per query row, [Hq, Lq, B]: plain_softmax, plain_av and decode_merge. `qLen`: most query positions of a sequence. */
export function rowGrid(shape: GqaShape, qLen: number): Grid {
  return [shape.numQHeads, qLen, shape.batch];
}

/** The kernels walk along all keys, those before a window too. */
function allKeys(shape: GqaShape) {
  return { ...shape, allKeys: true };
}

function maskConsts(shape: GqaShape) {
  return { ...stepConsts(shape), ...featureConsts(allKeys(shape)) };
}

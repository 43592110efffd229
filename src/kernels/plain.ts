// plain.ts: plain attention in three steps: grouped QK^T, softmax, AV (shaders/plain_*.wgsl). The yardstick.
import avSource from '../../shaders/plain/plain_av.wgsl?raw';
import scoresSource from '../../shaders/plain/plain_scores.wgsl?raw';
import softmaxSource from '../../shaders/plain/plain_softmax.wgsl?raw';
import { link } from '../device/wgsl.ts';
import { featureConsts, scoreLibs, sinkLibs } from './features.ts';
import type { Grid, Kernel } from './kernel.ts';
import { kLib, lseLib, NUMBERS, rowsLib, STEP, vLib, type CacheFormat } from './lib.ts';
import type { GqaShape } from './shape.ts';

const WG_SIZE = 64;

/** scores = scale * q . k; grid [tiles of 64 keys, Hq * Lq, B]. */
export function plainScores(shape: GqaShape, cache: CacheFormat): Kernel {
  const libs = [STEP, NUMBERS, rowsLib(shape.numKvHeads, cache), kLib(cache), ...scoreLibs(allKeys(shape))];
  const consts = { HEAD_DIM: shape.headDim, GROUP_SIZE: shape.groupSize, ...maskConsts(shape), WG_SIZE };
  return { name: 'plain_scores', source: link({ kernel: scoresSource, libs, consts }) };
}

export function plainScoresGrid(shape: GqaShape, longestKvLen: number): Grid {
  return [Math.max(1, Math.ceil(longestKvLen / WG_SIZE)), shape.numQHeads * shape.qLen, shape.batch];
}

/** scores -> weights, in place, and with `lse` the log-sum-exp; grid [Hq * Lq, B, 1]. */
export function plainSoftmax(shape: GqaShape, lse: boolean): Kernel {
  const consts = { ...maskConsts(shape), WG_SIZE };
  const libs = [STEP, NUMBERS, lseLib(lse), ...sinkLibs(shape)];
  return { name: 'plain_softmax', source: link({ kernel: softmaxSource, libs, consts }) };
}

/** o = weights . v; grid [Hq * Lq, B, 1]. */
export function plainAv(shape: GqaShape, cache: CacheFormat): Kernel {
  const consts = { V_DIM: shape.vHeadDim, GROUP_SIZE: shape.groupSize, ...maskConsts(shape) };
  return {
    name: 'plain_av',
    source: link({
      kernel: avSource,
      libs: [STEP, NUMBERS, rowsLib(shape.numKvHeads, cache), vLib(cache), ...scoreLibs(allKeys(shape))],
      consts,
    }),
  };
}

/** One workgroup per query row: plain_softmax, plain_av and decode_merge. */
export function rowGrid(shape: GqaShape): Grid {
  return [shape.numQHeads * shape.qLen, shape.batch, 1];
}

/** The kernels walk along all keys, those before a window too. */
function allKeys(shape: GqaShape) {
  return { ...shape, allKeys: true };
}

function maskConsts(shape: GqaShape) {
  return { Q_LEN: shape.qLen, CAUSAL: shape.causal, ...featureConsts(allKeys(shape)) };
}

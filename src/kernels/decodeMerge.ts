// decodeMerge.ts: the associative merge of attention states (shaders/attention/decode_merge.wgsl).
import source from '../../shaders/attention/decode_merge.wgsl?raw';
import statesFinished from '../../shaders/lib/states_finished.wgsl?raw';
import statesSplit from '../../shaders/lib/states_split.wgsl?raw';
import { link } from '../device/wgsl.ts';
import type { Kernel } from './kernel.ts';
import { lseLib, NUMBERS, STEP } from './lib.ts';
import type { GqaShape } from './shape.ts';

/**
 * Merges the splits of every query row. Grid: [Hq * Lq, B, 1]. `sets` invocations share each four elements' states: many
 * on a GPU, which reads them side by side, one on a CPU. `lse`: it writes log-sum-exps.
 */
export function decodeMerge(shape: GqaShape, sets: number, lse: boolean): Kernel {
  return {
    name: 'decode_merge',
    source: link({
      kernel: source,
      libs: [NUMBERS, statesSplit, STEP, lseLib(lse)],
      consts: { HEAD_DIM: shape.headDim, SETS: sets, Q_LEN: shape.qLen, CAUSAL: shape.causal },
    }),
  };
}

/** Merges whole results (o, lse) of attention over disjoint sets of keys. Grid: [rows, 1, 1]. */
export function mergeFinished(headDim: number, rows: number, numStates: number): Kernel {
  return {
    name: 'decode_merge',
    source: link({
      kernel: source,
      libs: [NUMBERS, statesFinished, lseLib(true)],
      consts: { HEAD_DIM: headDim, SETS: 1, NUM_STATES: numStates, NUM_ROWS: rows },
    }),
  };
}

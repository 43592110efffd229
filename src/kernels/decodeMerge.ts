// decodeMerge.ts: the associative merge of attention states (shaders/attention/decode_merge.wgsl).
import source from '../../shaders/attention/decode_merge.wgsl?raw';
import mergeAlone from '../../shaders/lib/merge_alone.wgsl?raw';
import mergeShared from '../../shaders/lib/merge_shared.wgsl?raw';
import statesFinished from '../../shaders/lib/states_finished.wgsl?raw';
import statesSplit from '../../shaders/lib/states_split.wgsl?raw';
import { link } from '../device/wgsl.ts';
import type { DeviceFacts } from '../device/deviceFacts.ts';
import { NO_SINKS, sinkLibs } from './features.ts';
import type { Kernel } from './kernel.ts';
import { NUMBERS, STEP, stepConsts } from './lib.ts';
import { profileOf } from './profile.ts';
import { lseLib, outputLibs, type RowFormats } from './rowFormats.ts';
import type { GqaShape } from './shape.ts';

/** Sets of invocations that share a row's states at most: each more is one more to add up at the end. */
const MOST_SETS = 16;

/** Invocations that share the states of each four elements of a row of o on a device: as many as its workgroup of a merge holds. */
export function mergeSets(vHeadDim: number, facts: DeviceFacts): number {
  const invocations = Math.min(profileOf(facts).mergeInvocations, facts.maxInvocations);
  return Math.max(1, Math.min(MOST_SETS, Math.floor((4 * invocations) / vHeadDim)));
}

/** Constants of a merge of rows of so many elements. States are asked for in fours or twos that fill a tile of them. */
function rowConsts(vHeadDim: number, sets: number) {
  return { V_DIM: vHeadDim, SETS: sets, LOADS: vHeadDim % 16 === 0 ? 4 : 2 };
}

/** One set merges alone, several through workgroup memory. */
function mergeLib(sets: number): string {
  return sets === 1 ? mergeAlone : mergeShared;
}

/** Merges the splits of every query row. Grid: that of `rowGrid`. `sets` as of `mergeSets`. */
export function decodeMerge(shape: GqaShape, sets: number, rows: Omit<RowFormats, 'q'>): Kernel {
  return {
    name: 'decode_merge',
    source: link({
      kernel: source,
      libs: [
        NUMBERS,
        statesSplit,
        STEP,
        mergeLib(sets),
        ...outputLibs(rows),
        lseLib(rows),
        ...sinkLibs(shape),
      ],
      consts: { ...rowConsts(shape.vHeadDim, sets), ...stepConsts(shape) },
    }),
  };
}

/** Merges whole results (o, lse) of attention over disjoint sets of keys. Grid: [rows, 1, 1]. `sets` as of `mergeSets`. */
export function mergeFinished(headDim: number, rows: number, numStates: number, sets: number): Kernel {
  return {
    name: 'decode_merge',
    source: link({
      kernel: source,
      libs: [
        NUMBERS,
        statesFinished,
        mergeLib(sets),
        ...outputLibs({ o: 'f32' }),
        lseLib({ lse: true }),
        NO_SINKS,
      ],
      consts: { ...rowConsts(headDim, sets), NUM_STATES: numStates, NUM_ROWS: rows },
    }),
  };
}

// runDecode.ts: runs decode_split and decode_merge on a stored problem, one kernel at a time.
import type { StoredProblem } from '../../bench/problem.ts';
import type { GqaDevice } from '../../src/device/gqaDevice.ts';
import { decodeMerge } from '../../src/kernels/decodeMerge.ts';
import { decodeSplit, splitGrid, type SplitVariant } from '../../src/kernels/decodeSplit.ts';
import { rowGrid } from '../../src/kernels/plain.ts';
import { checkShape } from '../../src/kernels/shape.ts';
import type { PartialStates, Splits } from '../reference/decodeSplit.ts';
import { runKernel, SENTINEL, unwritten, type Words } from './runKernel.ts';

/** o [B, Hq, Lq, D] and lse [B, Hq, Lq] as a kernel wrote them. */
export interface Output {
  readonly o: Float32Array;
  readonly lse: Float32Array;
}

/** Words of the `step` binding, in the order of struct Step in shaders/lib/step.wgsl. */
export function stepWords(
  splits: Splits,
  problem: Pick<StoredProblem, 'capacity' | 'smScale' | 'kvLens'>,
): Uint32Array<ArrayBuffer> {
  const words = Uint32Array.of(splits.numSplits, splits.splitLen, problem.capacity, 0, ...problem.kvLens);
  new Float32Array(words.buffer)[3] = problem.smScale;
  return words;
}

/** The stored K and V of a problem, as a kernel's bindings. */
export function cacheInputs({ kStored, vStored }: StoredProblem): { k_cache: Words; v_cache: Words } {
  return { k_cache: kStored as Words, v_cache: vStored as Words };
}

/** decode_split with partial states. */
export async function runSplit(
  device: GqaDevice,
  problem: StoredProblem,
  variant: SplitVariant,
  splits: Splits,
): Promise<PartialStates> {
  const shape = checkShape(problem);
  const states = shape.rows * splits.numSplits;
  const { partial_o, partial_ml } = await runKernel(device, {
    kernel: decodeSplit(shape, problem, variant, 'partial'),
    grid: splitGrid(shape, variant, splits.numSplits),
    inputs: { q: problem.q, ...cacheInputs(problem) },
    outputs: { partial_o: unwritten(states * problem.headDim), partial_ml: unwritten(states * 2) },
    step: stepWords(splits, problem),
  });
  return {
    rows: shape.rows,
    numSplits: splits.numSplits,
    headDim: problem.headDim,
    m: Float64Array.from({ length: states }, (_, at) => partial_ml![2 * at]!),
    l: Float64Array.from({ length: states }, (_, at) => partial_ml![2 * at + 1]!),
    o: Float64Array.from(partial_o!),
  };
}

/** decode_split as the only split, which writes the result itself. */
export async function runWhole(
  device: GqaDevice,
  problem: StoredProblem,
  variant: SplitVariant,
): Promise<Output> {
  const shape = checkShape(problem);
  const { o, lse } = await runKernel(device, {
    kernel: decodeSplit(shape, problem, variant, 'final'),
    grid: splitGrid(shape, variant, 1),
    inputs: { q: problem.q, ...cacheInputs(problem) },
    outputs: { o: unwritten(problem.q.length), lse: unwritten(shape.rows) },
    step: stepWords({ numSplits: 1, splitLen: Math.max(1, ...problem.kvLens) }, problem),
  });
  return { o: o as Float32Array, lse: lse as Float32Array };
}

/** decode_merge of partial states. The host's step numbers other than numSplits do not matter to it. */
export async function runMerge(
  device: GqaDevice,
  states: PartialStates,
  problem: StoredProblem,
): Promise<Output> {
  const { rows, numSplits, headDim } = states;
  const { o, lse } = await runKernel(device, {
    kernel: decodeMerge(checkShape(problem)),
    grid: rowGrid(checkShape(problem)),
    inputs: {
      partial_o: Float32Array.from(states.o),
      partial_ml: Float32Array.from(
        { length: rows * numSplits * 2 },
        (_, i) => (i % 2 ? states.l : states.m)[i >> 1]!,
      ),
    },
    outputs: { o: unwritten(rows * headDim), lse: unwritten(rows) },
    step: stepWords({ numSplits, splitLen: SENTINEL }, problem),
  });
  return { o: o as Float32Array, lse: lse as Float32Array };
}

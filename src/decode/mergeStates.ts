// mergeStates.ts: the public merge operator: attention over disjoint sets of keys, combined into attention over all.
import { checkRange, checkWritten, type BufferArg } from '../device/buffers.ts';
import { checkDevice, type GqaDevice } from '../device/gqaDevice.ts';
import { checkOptions, checkWhole, type Known } from '../device/options.ts';
import {
  beginPass,
  bindKernel,
  dispatch,
  endPass,
  type BoundKernel,
  type RecordTarget,
} from '../device/record.ts';
import { validated } from '../device/scopes.ts';
import { mergeFinished, mergeSets } from '../kernels/decodeMerge.ts';
import type { Grid } from '../kernels/kernel.ts';
import { checkHeadDim } from '../kernels/shape.ts';

/** N states of the same rows: o f32 [N, rows, D], lse f32 [N, rows] natural; merged into o [rows, D] and lse [rows]. */
export interface MergeArgs {
  /** N, 1 to 4096. */
  readonly numStates: number;
  /** Rows of each state, as B * Hq * Lq; at least 1. */
  readonly rows: number;
  /** D, elements of a row of o, `vHeadDim` of a decoder: a multiple of 8 from 8 to 512. */
  readonly headDim: number;
  /** Outputs, f32 [N, rows, D]. */
  readonly statesO: BufferArg;
  /** Their natural log-sum-exps, f32 [N, rows]; `LSE_EMPTY` where a state has nothing to attend to. */
  readonly statesLse: BufferArg;
  /** Merged output, f32 [rows, D]; another buffer than the others. */
  readonly o: BufferArg;
  /** Merged log-sum-exp, f32 [rows]; another buffer than the others. */
  readonly lse: BufferArg;
}

const MERGE_ARGS = {
  numStates: true,
  rows: true,
  headDim: true,
  statesO: true,
  statesLse: true,
  o: true,
  lse: true,
} satisfies Known<MergeArgs>;

/**
 * Binds a merge of attention results (o, lse) over disjoint keys: a shared prefix and a suffix, or two devices'
 * halves. The operator is associative and commutative up to rounding. (FlashInfer's attention states:
 * docs/tutorials/recursive_attention.rst.)
 */
export async function bindMerge(device: GqaDevice, args: MergeArgs): Promise<BoundMerge> {
  checkDevice('bindMerge', device);
  checkOptions('merge', args, MERGE_ARGS);
  const { numStates, rows, headDim } = args;
  checkWhole('merge: numStates', numStates, 1, 4096);
  checkWhole('merge: rows', rows, 1, device.facts.maxGrid);
  checkHeadDim('merge: headDim', headDim);
  const buffers = {
    states_o: checkRange(device, 'merge: statesO', args.statesO, numStates * rows * headDim * 4),
    states_lse: checkRange(device, 'merge: statesLse', args.statesLse, numStates * rows * 4),
    o: checkRange(device, 'merge: o', args.o, rows * headDim * 4),
    lse: checkRange(device, 'merge: lse', args.lse, rows * 4),
  };
  checkWritten('merge', ['o', 'lse'], buffers);
  const sets = mergeSets(headDim, device.facts);
  const compiled = await device.pipelines.get(mergeFinished(headDim, rows, numStates, sets));
  const bound = await validated(device, 'merge', () => bindKernel(device.gpu, compiled, buffers));
  return new BoundMerge(device, bound, rows);
}

/** A merge with its buffers bound. */
export class BoundMerge {
  readonly #device: GqaDevice;
  readonly #kernel: BoundKernel;
  readonly #grid: Grid;

  /** @internal Use bindMerge. */
  constructor(device: GqaDevice, kernel: BoundKernel, rows: number) {
    this.#device = device;
    this.#kernel = kernel;
    this.#grid = [rows, 1, 1];
  }

  /** Records the merge into an open encoder or compute pass of the device; throws ShapeError or ForeignDeviceError for others. */
  record(target: RecordTarget): void {
    this.#device.assertUsable();
    const pass = beginPass('merge', this.#device, target);
    dispatch(pass, this.#kernel, this.#grid);
    endPass(target, pass);
  }
}

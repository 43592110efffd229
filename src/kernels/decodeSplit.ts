// decodeSplit.ts: the fused kernel: one KV head's rows over one split of the cache (shaders/decode_split.wgsl).
import source from '../../shaders/decode_split.wgsl?raw';
import outFinal from '../../shaders/lib/out_final.wgsl?raw';
import outPartial from '../../shaders/lib/out_partial.wgsl?raw';
import raiseMaxSubgroup from '../../shaders/lib/raise_max_subgroup.wgsl?raw';
import raiseMaxWorkgroup from '../../shaders/lib/raise_max_workgroup.wgsl?raw';
import rowMax from '../../shaders/lib/row_max.wgsl?raw';
import type { DeviceFacts } from '../device/gqaDevice.ts';
import { FeatureMissingError, LimitExceededError, ShapeError } from '../device/errors.ts';
import { link } from '../device/wgsl.ts';
import { LOAD_K, LOAD_V, NUMBERS, STEP, type CacheFormat } from './lib.ts';
import type { Grid, Kernel } from './kernel.ts';
import { checkWhole, type GqaShape } from './shape.ts';

/** How invocations agree on a row's maximum: the one choice between device features. */
export type Reduce = 'subgroup' | 'workgroup';

/** The sizes of one variant of the kernel. */
export interface SplitVariant {
  readonly reduce: Reduce;
  /** Invocations of a workgroup. */
  readonly wgSize: number;
  /** Keys between two barriers. Split lengths are multiples of it. */
  readonly tile: number;
  /** Query rows of a KV head that one workgroup serves, each K/V element loaded once for all of them. */
  readonly rowBlock: number;
}

/** Rows one invocation scores or mixes: more would not stay in registers. Also MAX_MIX_ROWS of the shader. */
const ROWS_PER_INVOCATION = 8;

/** Rows a workgroup of 256 can serve with all it keeps in WebGPU's guaranteed 16 KiB of workgroup memory. */
const MAX_ROW_BLOCK = 80;

/** Workgroup memory of a variant in bytes: weights, maxima, and the sums of the sets. */
export function splitWorkgroupBytes({ rowBlock, tile, wgSize }: SplitVariant): number {
  return rowBlock * tile * 4 + rowBlock * 4 + wgSize * 20;
}

/** The variant that suits a device and shape. */
export function chooseSplitVariant(shape: GqaShape, facts: DeviceFacts, reduce?: Reduce): SplitVariant {
  const sizes = facts.software ? softwareSizes(shape) : gpuSizes(shape);
  const sharesRows = sizes.tile < sizes.wgSize;
  return { reduce: reduce ?? (facts.subgroups && !sharesRows ? 'subgroup' : 'workgroup'), ...sizes };
}

/**
 * GPUs: a whole group in one workgroup, so that its K and V come from memory once; 32 keys side by side for every
 * eight rows, two such sets at least.
 */
function gpuSizes({ rowsPerKvHead }: GqaShape): Omit<SplitVariant, 'reduce'> {
  const rowBlock = evenBlocks(rowsPerKvHead, MAX_ROW_BLOCK);
  const sets = 2 ** Math.ceil(Math.log2(Math.ceil(rowBlock / ROWS_PER_INVOCATION)));
  const wgSize = Math.min(256, Math.max(64, 32 * sets));
  return { wgSize, tile: sets > 1 ? 32 : 64, rowBlock };
}

/**
 * A CPU runs invocations one after the other and a barrier as a switch between them: the fewest that cover a vector,
 * long tiles, and at most eight rows, so that all invocations work on the same ones.
 */
function softwareSizes({ rowsPerKvHead, headDim }: GqaShape): Omit<SplitVariant, 'reduce'> {
  const rowBlock = evenBlocks(rowsPerKvHead, ROWS_PER_INVOCATION);
  return { wgSize: headDim / 4, tile: headDim / 2, rowBlock };
}

/** The size of equal blocks of at most `most` that cover `count`. */
function evenBlocks(count: number, most: number): number {
  return Math.ceil(count / Math.ceil(count / most));
}

/** Workgroups of a step: splits, row blocks of all KV heads, sequences. */
export function splitGrid(shape: GqaShape, variant: SplitVariant, numSplits: number): Grid {
  return [numSplits, shape.numKvHeads * Math.ceil(shape.rowsPerKvHead / variant.rowBlock), shape.batch];
}

/**
 * The linked kernel. `output` says whether a split writes a partial state or, as the only split, the result.
 * Throws LimitExceededError when the variant needs more workgroup memory or invocations than the device has.
 */
export function decodeSplit(
  shape: GqaShape,
  cache: CacheFormat,
  variant: SplitVariant,
  output: 'partial' | 'final',
): Kernel {
  const subgroup = variant.reduce === 'subgroup';
  const raiseMax = subgroup ? raiseMaxSubgroup : raiseMaxWorkgroup;
  const out = output === 'partial' ? outPartial : outFinal;
  return {
    name: 'decode_split',
    source: link({
      kernel: source,
      enables: subgroup ? ['subgroups'] : [],
      libs: [STEP, NUMBERS, rowMax, raiseMax, LOAD_K[cache.kType], LOAD_V[cache.vType], out],
      consts: {
        HEAD_DIM: shape.headDim,
        ROWS: shape.rowsPerKvHead,
        ROW_BLOCK: variant.rowBlock,
        WG_SIZE: variant.wgSize,
        TILE: variant.tile,
        Q_LEN: shape.qLen,
        CAUSAL: shape.causal,
      },
    }),
  };
}

/**
 * Throws ShapeError for sizes the kernel is not made for, FeatureMissingError and LimitExceededError when the device
 * cannot run the variant.
 */
export function checkSplitVariant(variant: SplitVariant, headDim: number, facts: DeviceFacts): void {
  const { reduce, wgSize, tile, rowBlock } = variant;
  checkWhole('variant: wgSize', wgSize, headDim / 4, 65536);
  checkWhole('variant: tile', tile, 1, 65536);
  checkWhole('variant: rowBlock', rowBlock, 1, 65536);
  if (reduce !== 'subgroup' && reduce !== 'workgroup') {
    throw new ShapeError(`variant: reduce must be subgroup or workgroup, got ${String(reduce)}`);
  }
  if (Math.max(wgSize, tile) % Math.min(wgSize, tile) !== 0) {
    throw new ShapeError(
      `variant: one of wgSize (${wgSize}) and tile (${tile}) must be a multiple of the other`,
    );
  }
  if (reduce === 'subgroup' && tile < wgSize) {
    throw new ShapeError(`variant: subgroups need a tile of at least wgSize (${wgSize}), got ${tile}`);
  }
  if (reduce === 'subgroup' && !facts.subgroups) {
    throw new FeatureMissingError('subgroups', 'variant: subgroups asked for, the device has none');
  }
  if (variant.wgSize > facts.maxInvocations) {
    throw new LimitExceededError(
      'decode_split',
      'maxComputeInvocationsPerWorkgroup',
      variant.wgSize,
      facts.maxInvocations,
    );
  }
  const bytes = splitWorkgroupBytes(variant);
  if (bytes > facts.maxWorkgroupStorage) {
    throw new LimitExceededError(
      'decode_split',
      'maxComputeWorkgroupStorageSize',
      bytes,
      facts.maxWorkgroupStorage,
    );
  }
}

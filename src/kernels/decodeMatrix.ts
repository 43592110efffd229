// decodeMatrix.ts: the experimental fused kernel on subgroup matrices (shaders/attention/decode_matrix.wgsl).
import source from '../../shaders/attention/decode_matrix.wgsl?raw';
import matrix from '../../shaders/lib/matrix.wgsl?raw';
import { FeatureMissingError, ShapeError } from '../device/errors.ts';
import type { DeviceFacts } from '../device/deviceFacts.ts';
import { link } from '../device/wgsl.ts';
import { featureConsts, featureLibs } from './features.ts';
import type { Kernel } from './kernel.ts';
import { NUMBERS, ROWS_IN_ONE, STEP, workConsts, SUBGROUP, type CacheFormat } from './lib.ts';
import { workLibs, type RowFormats } from './rowFormats.ts';
import { checkWhole, type GqaShape } from './shape.ts';
import { evenBlocks, isPowerOfTwo } from './sizes.ts';

/** The sizes of one variant of the kernel. */
export interface MatrixVariant {
  readonly template: 'matrix';
  /** Invocations of a workgroup; a power of two. */
  readonly wgSize: number;
  /** Keys between two rounds of barriers; a multiple of `unit`. */
  readonly tile: number;
  /** Query rows of a KV head that one workgroup serves; each takes two rows of matrices. */
  readonly rowBlock: number;
  /** Rows, columns and depth of the device's matrices of f16 with sums of f32. */
  readonly unit: number;
}

/** Invocations that weigh a row together. */
export const MATRIX_LANES = 8;

/** The linked kernel. */
export function decodeMatrix(shape: GqaShape, variant: MatrixVariant, rows: RowFormats): Kernel {
  return {
    name: 'decode_matrix',
    source: link({
      kernel: source,
      enables: ['subgroups', 'f16', 'chromium_experimental_subgroup_matrix'],
      libs: [STEP, NUMBERS, ...workLibs(rows), ROWS_IN_ONE, matrix, SUBGROUP, ...featureLibs(shape)],
      consts: matrixConsts(shape, variant),
    }),
  };
}

/** Constants of the shader. */
export function matrixConsts(shape: GqaShape, { wgSize, tile, rowBlock, unit }: MatrixVariant) {
  return {
    HEAD_DIM: shape.headDim,
    V_DIM: shape.vHeadDim,
    ...workConsts(shape, rowBlock),
    ...featureConsts(shape),
    WG_SIZE: wgSize,
    LANES: MATRIX_LANES,
    TILE: tile,
    UNIT: unit,
    MATRIX_ROWS: Math.ceil((2 * rowBlock) / unit) * unit,
    MIX_VEC4S: Math.ceil((rowBlock * shape.headDim) / 4 / wgSize),
    TEAM_KEYS: tile / MATRIX_LANES,
    VALUE_WORDS: Math.ceil((tile * shape.headDim) / 8 / wgSize),
  };
}

/** Workgroup memory of a variant in bytes: products, queries, weights, a staged tile, and m, l and shrink of the rows. */
export function matrixWorkgroupBytes({ headDim }: GqaShape, { tile, rowBlock, unit }: MatrixVariant): number {
  const rows = Math.ceil((2 * rowBlock) / unit) * unit;
  return (
    rows * (4 * Math.max(tile, headDim) + 2 * headDim + 2 * tile) + 2 * (tile + 8) * headDim + 12 * rowBlock
  );
}

/** The sizes for a device with matrices: as many rows as fit its workgroup memory, then as many keys (D 256 needs more than 32 KiB). Throws FeatureMissingError on one without, ShapeError for a cache not of f16, and K and V of different head dims. */
export function chooseMatrix(shape: GqaShape, cache: CacheFormat, facts: DeviceFacts): MatrixVariant {
  checkMatrices(shape, cache, facts);
  const variants = [16, 12, 8, 4, 2].flatMap((rows) =>
    [64, 32, 16].map((tile): MatrixVariant => {
      const rowBlock = evenBlocks(shape.rowsPerKvHead, rows);
      return { template: 'matrix', wgSize: 128, tile, rowBlock, unit: facts.matrixUnit };
    }),
  );
  const fits = (variant: MatrixVariant) => matrixWorkgroupBytes(shape, variant) <= facts.maxWorkgroupStorage;
  return variants.find(fits) ?? variants.at(-1)!;
}

function checkMatrices(
  { headDim, vHeadDim, features }: GqaShape,
  cache: CacheFormat,
  facts: DeviceFacts,
): void {
  if (facts.matrixUnit === 0) {
    throw new FeatureMissingError(
      'chromium-experimental-subgroup-matrix',
      'matrix: the kernel needs subgroup matrices of f16 with sums of f32, the device has none',
    );
  }
  if (cache.kType !== 'f16' || cache.vType !== 'f16') {
    throw new ShapeError(`matrix: expected a cache of f16, got K ${cache.kType} and V ${cache.vType}`);
  }
  if (vHeadDim !== headDim) {
    throw new ShapeError(`matrix: expected K and V of the same head dim, got ${headDim} and ${vHeadDim}`);
  }
  const [feature] = Object.keys(features);
  if (feature !== undefined) throw new ShapeError(`matrix: expected no features, got ${feature}`);
}

/** Throws FeatureMissingError and ShapeError as `chooseMatrix`, and ShapeError for sizes that the shader is not made for. */
export function checkMatrix(
  shape: GqaShape,
  cache: CacheFormat,
  variant: MatrixVariant,
  facts: DeviceFacts,
): void {
  checkMatrices(shape, cache, facts);
  const { wgSize, tile, rowBlock, unit } = variant;
  if (!isPowerOfTwo(wgSize)) throw new ShapeError(`matrix: wgSize: expected a power of two, got ${wgSize}`);
  checkWhole('matrix: unit', unit, facts.matrixUnit, facts.matrixUnit);
  checkWhole('matrix: rowBlock', rowBlock, 1, wgSize / MATRIX_LANES);
  for (const [name, value, factor] of [
    ['tile', tile, Math.max(unit, MATRIX_LANES)],
    ['headDim', shape.headDim, unit],
  ] as const) {
    if (value % factor !== 0)
      throw new ShapeError(`matrix: ${name}: expected a multiple of ${factor}, got ${value}`);
  }
}

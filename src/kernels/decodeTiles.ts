// decodeTiles.ts: the fused kernel that works in tiles of keys (shaders/attention/decode_tiles.wgsl).
import source from '../../shaders/attention/decode_tiles.wgsl?raw';
import rowMax from '../../shaders/lib/row_max.wgsl?raw';
import { ShapeError } from '../device/errors.ts';
import type { DeviceFacts } from '../device/deviceFacts.ts';
import { link } from '../device/wgsl.ts';
import { rowWords, wordVec4s } from '../numbers/elements.ts';
import type { Kernel } from './kernel.ts';
import { cacheLibs, lseLib, NUMBERS, ROWS, STEP, WORK, type CacheFormat } from './lib.ts';
import { checkWhole, type GqaShape } from './shape.ts';
import { evenBlocks, powerOfTwoFrom } from './sizes.ts';

/** The sizes of one variant of the kernel. */
export interface TilesVariant {
  readonly template: 'tiles';
  /** Invocations of a workgroup. */
  readonly wgSize: number;
  /** Keys between two barriers; a multiple of `wgSize` or a divisor of it. */
  readonly tile: number;
  /** Query rows of a KV head that one workgroup serves, each word of K and V unpacked once for all of them. */
  readonly rowBlock: number;
  /** Words of V that an invocation mixes. */
  readonly mixWords: number;
}

/** The linked kernel; `lse`: it writes log-sum-exps. */
export function decodeTiles(
  shape: GqaShape,
  cache: CacheFormat,
  variant: TilesVariant,
  lse: boolean,
): Kernel {
  return {
    name: 'decode_tiles',
    source: link({
      kernel: source,
      libs: [STEP, NUMBERS, WORK, ROWS, rowMax, lseLib(lse), ...cacheLibs(cache)],
      consts: tilesConsts(shape, cache, variant),
    }),
  };
}

/** Floats of o that one invocation keeps at most: more would not stay in registers. */
const MIX_FLOATS = 64;

/** Constants of the shader. Those that bound its loops are literals here because only such loops can be unrolled. */
export function tilesConsts(shape: GqaShape, cache: CacheFormat, variant: TilesVariant) {
  const { wgSize, tile, rowBlock, mixWords } = variant;
  const keyLanes = Math.min(tile, wgSize);
  const qkParts = wgSize / keyLanes;
  const mixVec4s = mixWords * wordVec4s(cache.vType);
  const mostRows = Math.max(1, Math.floor(MIX_FLOATS / (4 * mixVec4s)));
  const rowSets = Math.min(
    Math.floor(wgSize / mixWidth(shape, cache, variant)),
    Math.ceil(rowBlock / mostRows),
  );
  return {
    HEAD_DIM: shape.headDim,
    ROWS: shape.rowsPerKvHead,
    ROW_BLOCK: rowBlock,
    Q_LEN: shape.qLen,
    CAUSAL: shape.causal,
    WG_SIZE: wgSize,
    TILE: tile,
    KEYS: tile / keyLanes,
    QK_ROWS: Math.ceil(rowBlock / qkParts),
    MIX_WORDS: mixWords,
    MIX_VEC4S: mixVec4s,
    ROW_SETS: rowSets,
    MIX_ROWS: Math.ceil(rowBlock / rowSets),
  };
}

/** Invocations that cover a row of V. */
function mixWidth({ headDim }: GqaShape, { vType }: CacheFormat, { mixWords }: TilesVariant): number {
  return Math.ceil(rowWords(vType, headDim) / mixWords);
}

/** Workgroup memory of a variant in bytes: weights, maxima, and the sums of the sets. */
export function tilesWorkgroupBytes(cache: CacheFormat, variant: TilesVariant): number {
  const { rowBlock, tile, wgSize, mixWords } = variant;
  return rowBlock * tile * 4 + rowBlock * 4 + wgSize * (4 + 16 * mixWords * wordVec4s(cache.vType));
}

/** The sizes that suit a device and shape, as long as nothing was measured. */
export function chooseTiles(shape: GqaShape, cache: CacheFormat, facts: DeviceFacts): TilesVariant {
  return facts.software ? softwareSizes(shape, cache, facts) : gpuSizes(shape, cache, facts);
}

/** Rows one invocation scores on a GPU. */
const GPU_ROWS = 8;

/** GPUs: a whole group in one workgroup; 32 keys side by side for every eight rows, two such sets at least. */
function gpuSizes(shape: GqaShape, cache: CacheFormat, facts: DeviceFacts, mostRows = 80): TilesVariant {
  const rowBlock = evenBlocks(shape.rowsPerKvHead, mostRows);
  const sets = powerOfTwoFrom(Math.ceil(rowBlock / GPU_ROWS));
  const wgSize = Math.min(256, Math.max(64, 32 * sets));
  const tile = sets > 1 ? 32 : 64;
  const sizes: TilesVariant = { template: 'tiles', wgSize, tile, rowBlock, mixWords: 1 };
  if (tilesWorkgroupBytes(cache, sizes) <= facts.maxWorkgroupStorage) return sizes;
  return gpuSizes(shape, cache, facts, Math.ceil(rowBlock / 2));
}

/**
 * A CPU runs invocations one after the other and a barrier as a switch between them: as few as cover a row of V, at most
 * eight rows, all of them scored by every invocation. Subgroups of four mean SwiftShader, which compiles long bodies
 * quickly and gains most from few barriers, the more rows meet at one the more; others (lavapipe) take seconds for them.
 */
function softwareSizes(
  { rowsPerKvHead, headDim }: GqaShape,
  { vType }: CacheFormat,
  facts: DeviceFacts,
): TilesVariant {
  const words = rowWords(vType, headDim);
  const rowBlock = evenBlocks(rowsPerKvHead, 8);
  if (facts.subgroupMaxSize <= 4) {
    const tile = rowBlock > 4 ? 128 : 32;
    return { template: 'tiles', wgSize: 8, tile, rowBlock, mixWords: Math.ceil(words / 8) };
  }
  const wgSize = Math.max(16, words);
  return { template: 'tiles', wgSize, tile: 2 * wgSize, rowBlock, mixWords: 1 };
}

/** Throws ShapeError for sizes that the shader is not made for. */
export function checkTiles(shape: GqaShape, cache: CacheFormat, variant: TilesVariant): void {
  const { wgSize, tile, rowBlock, mixWords } = variant;
  checkWhole('tiles: mixWords', mixWords, 1, rowWords(cache.vType, shape.headDim));
  checkWhole('tiles: wgSize', wgSize, mixWidth(shape, cache, variant), 65536);
  checkWhole('tiles: tile', tile, 1, 65536);
  checkWhole('tiles: rowBlock', rowBlock, 1, 65536);
  if (Math.max(wgSize, tile) % Math.min(wgSize, tile) !== 0) {
    throw new ShapeError(
      `tiles: one of wgSize (${wgSize}) and tile (${tile}) must be a multiple of the other`,
    );
  }
}

// decodeTiles.ts: the fused kernel that works in tiles of keys (shaders/attention/decode_tiles.wgsl).
import source from '../../shaders/attention/decode_tiles.wgsl?raw';
import pack1 from '../../shaders/lib/pack_1.wgsl?raw';
import pack2 from '../../shaders/lib/pack_2.wgsl?raw';
import pack4 from '../../shaders/lib/pack_4.wgsl?raw';
import queriesPrivate from '../../shaders/lib/queries_private.wgsl?raw';
import queriesWorkgroup from '../../shaders/lib/queries_workgroup.wgsl?raw';
import { ShapeError } from '../device/errors.ts';
import type { DeviceFacts } from '../device/deviceFacts.ts';
import { link } from '../device/wgsl.ts';
import { rowWords, wordVec4s } from '../numbers/elements.ts';
import { fusedConsts, fusedLibs } from './fusedLibs.ts';
import type { Kernel } from './kernel.ts';
import { cacheLibs, PLACE, PLACE_BYTES, type CacheFormat } from './lib.ts';
import type { RowFormats } from './rowFormats.ts';
import { checkWhole, type GqaShape } from './shape.ts';
import { evenBlocks, powerOfTwoUpTo } from './sizes.ts';

/** The sizes of one variant of the kernel. */
export interface TilesVariant {
  readonly template: 'tiles';
  /** Invocations of a workgroup; fewer than `GPU_WG_SIZE` are for CPUs. */
  readonly wgSize: number;
  /** Keys between two mixes of values: a multiple of 8, or fewer. */
  readonly tile: number;
  /** Query rows of a KV head that one workgroup serves. */
  readonly rowBlock: number;
  /** Pieces of a row of V that an invocation mixes. */
  readonly mixWords: number;
}

/** The linked kernel. */
export function decodeTiles(
  shape: GqaShape,
  cache: CacheFormat,
  variant: TilesVariant,
  rows: RowFormats,
): Kernel {
  return {
    name: 'decode_tiles',
    source: link({
      kernel: source,
      libs: [
        ...fusedLibs(shape, cache, rows),
        PACKS[packOf(variant)],
        forCpu(variant) ? queriesPrivate : queriesWorkgroup,
        PLACE[forCpu(variant) ? 'cpu' : 'gpu'],
        ...cacheLibs(cache),
      ],
      consts: tilesConsts(shape, cache, variant),
    }),
  };
}

const PACKS = { 1: pack1, 2: pack2, 4: pack4 };

/** The least workgroup of a GPU, one subgroup at most. Below it each invocation keeps its queries for itself. */
const GPU_WG_SIZE = 32;

function forCpu({ wgSize }: TilesVariant): boolean {
  return wgSize < GPU_WG_SIZE;
}

/**
 * Rows that are exchanged at once. Fewer rows leave room in the registers of a GPU; on a CPU an exchange costs as much for four as
 * for two. At most one row more than there are is computed.
 */
function packOf(variant: TilesVariant): 1 | 2 | 4 {
  const { rowBlock } = variant;
  if (rowBlock === 1) return 1;
  return forCpu(variant) && (rowBlock % 4 === 0 || rowBlock % 4 === 3) ? 4 : 2;
}

/** Parts of a tile whose keys one invocation weighs, where it has so many keys: it then looks through so many maxima. */
const GROUPS = 8;

/** Most invocations that share a key: on a CPU they exchange more than they save where there are more. */
const GPU_LANES = 8;
/** Sums of products of a key at most, in workgroup memory. */
const GPU_SHARES = 32;
const CPU_LANES = 4;

/** Two pieces at least to a lane: a loop over them keeps a compiler from holding all of the queries in registers. */
function mostGpuLanes(kPieces: number, rowBlock: number): number {
  return Math.max(1, Math.min(GPU_LANES, kPieces / 2, GPU_SHARES / rowBlock));
}

/** Constants of the shader. Those that bound its loops are literals here because only such loops can be unrolled. */
export function tilesConsts(shape: GqaShape, cache: CacheFormat, variant: TilesVariant) {
  const { wgSize, tile, rowBlock, mixWords } = variant;
  const pack = packOf(variant);
  const packs = Math.ceil(rowBlock / pack);
  const cpu = forCpu(variant);
  const kPieceVec4s = Math.min(cpu ? 8 : 2, wordVec4s(cache.kType));
  const kPieces = (rowWords(cache.kType, shape.headDim) * wordVec4s(cache.kType)) / kPieceVec4s;
  const most = cpu ? Math.min(CPU_LANES, wgSize, kPieces) : mostGpuLanes(kPieces, rowBlock);
  const lanes = powerOfTwoUpTo(most);
  const lanePieces = Math.ceil(kPieces / lanes);
  const vPieceVec4s = pieceVec4s(cache, variant);
  const width = mixWidth(shape, cache, variant);
  const scorePacks = cpu ? packs : Math.min(packs, Math.ceil(packs / Math.floor(wgSize / lanes)));
  const mixSets = cpu ? 1 : Math.min(packs, Math.floor(wgSize / width));
  const mixPacks = Math.ceil(packs / mixSets);
  const outRows = cpu ? mixPacks * pack : Math.max(1, pack / vPieceVec4s);
  return {
    ...fusedConsts(shape, rowBlock),
    WG_SIZE: wgSize,
    TILE: tile,
    GROUPS: Math.min(GROUPS, tile),
    LANES: lanes,
    K_PIECE_VEC4S: kPieceVec4s,
    K_LANE_VEC4S: lanePieces * kPieceVec4s,
    SLICES: cpu ? 1 : lanePieces,
    SLICE_PIECES: cpu ? lanePieces : 1,
    SCORE_PACKS: scorePacks,
    SCORE_ROWS: scorePacks * pack,
    SCORE_SETS: Math.ceil(packs / scorePacks),
    V_PIECE_VEC4S: vPieceVec4s,
    MIX_PIECES: mixWords,
    MIX_VEC4S: mixWords * vPieceVec4s,
    MIX_PACKS: mixPacks,
    MIX_ROWS: mixPacks * pack,
    MIX_SETS: Math.ceil(packs / mixPacks),
    OUT_ROWS: outRows,
    OUT_TURNS: (mixPacks * pack) / outRows,
  };
}

/** Vec4s of a piece of V: a word of 16 bytes on a CPU, 4 elements (8 of int4) on a GPU. */
function pieceVec4s({ vType }: CacheFormat, variant: TilesVariant): number {
  const vec4s = wordVec4s(vType);
  return forCpu(variant) ? vec4s : Math.max(1, vec4s / 4);
}

/** Invocations that cover a row of V. */
function mixWidth({ vHeadDim }: GqaShape, cache: CacheFormat, variant: TilesVariant): number {
  const pieces = (rowWords(cache.vType, vHeadDim) * wordVec4s(cache.vType)) / pieceVec4s(cache, variant);
  return Math.ceil(pieces / variant.mixWords);
}

/** Workgroup memory of a variant in bytes. */
export function tilesWorkgroupBytes(shape: GqaShape, cache: CacheFormat, variant: TilesVariant): number {
  const consts = tilesConsts(shape, cache, variant);
  const { tile, wgSize, rowBlock, mixWords } = variant;
  const pack = packOf(variant);
  const packs = Math.ceil(rowBlock / pack);
  const width = mixWidth(shape, cache, variant);
  const keySets = Math.floor(wgSize / width / consts.MIX_SETS);
  const laneStride = consts.LANES + (1 - (consts.LANES % 2));
  const packed = tile * packs * (laneStride + 1) + 2 * packs * consts.GROUPS + 3 * packs;
  const queries = forCpu(variant) ? 0 : packs * pack * consts.K_LANE_VEC4S * consts.LANES;
  const sums = keySets * consts.MIX_SETS * consts.OUT_ROWS * width * mixWords * consts.V_PIECE_VEC4S;
  return packed * pack * 4 + (queries + sums) * 16 + (forCpu(variant) ? 0 : PLACE_BYTES);
}

/** Query rows of a workgroup at most. */
const MOST_ROWS = 8;

/** The sizes that suit a device and shape, as long as nothing was measured. */
export function chooseTiles(shape: GqaShape, cache: CacheFormat, facts: DeviceFacts): TilesVariant {
  const sizes = facts.software ? softwareSizes(shape, cache, facts) : gpuSizes(shape, cache, facts);
  return fitting(shape, cache, facts, sizes);
}

/** Vectors of four elements of o that an invocation of a GPU keeps at most: twice as many spill on Intel. */
const MOST_VEC4S = 4;

/** GPUs: the rows of a KV head in blocks of at most eight, which larger workgroups share where V has long rows. */
function gpuSizes(shape: GqaShape, cache: CacheFormat, facts: DeviceFacts): TilesVariant {
  const rowBlock = evenBlocks(shape.rowsPerKvHead, MOST_ROWS);
  const sizes = { template: 'tiles', wgSize: 128, tile: 32, rowBlock, mixWords: 1 } as const;
  const { MIX_ROWS, MIX_VEC4S } = tilesConsts(shape, cache, sizes);
  const isLong = MIX_ROWS * MIX_VEC4S > MOST_VEC4S || 2 * mixWidth(shape, cache, sizes) > sizes.wgSize;
  return isLong && facts.maxInvocations >= 256 ? { ...sizes, wgSize: 256 } : sizes;
}

/**
 * A CPU runs invocations one after the other, in vectors, and a barrier as a switch between those: one vector is best.
 * Subgroups of four mean SwiftShader.
 */
function softwareSizes(shape: GqaShape, { vType }: CacheFormat, facts: DeviceFacts): TilesVariant {
  const wgSize = facts.subgroupMaxSize <= 4 ? 4 : 8;
  const mixWords = Math.ceil(rowWords(vType, shape.vHeadDim) / wgSize);
  const rowBlock = evenBlocks(shape.rowsPerKvHead, MOST_ROWS);
  return { template: 'tiles', wgSize, tile: 64, rowBlock, mixWords };
}

/** The same with shorter tiles where the device has too little workgroup memory, and fewer rows where that is not enough. */
function fitting(shape: GqaShape, cache: CacheFormat, facts: DeviceFacts, sizes: TilesVariant): TilesVariant {
  const tiles = [1, 2, 4, 8].map((part) => sizes.tile / part).filter((tile) => tile >= GROUPS);
  const found = tiles
    .map((tile) => ({ ...sizes, tile }))
    .find((each) => tilesWorkgroupBytes(shape, cache, each) <= facts.maxWorkgroupStorage);
  return found ?? fewerRows(shape, cache, facts, sizes);
}

function fewerRows(
  shape: GqaShape,
  cache: CacheFormat,
  facts: DeviceFacts,
  sizes: TilesVariant,
): TilesVariant {
  if (sizes.rowBlock === 1) return { ...sizes, tile: GROUPS };
  const rowBlock = evenBlocks(shape.rowsPerKvHead, Math.ceil(sizes.rowBlock / 2));
  return fitting(shape, cache, facts, { ...sizes, rowBlock });
}

/** Throws ShapeError for sizes that the shader is not made for. */
export function checkTiles(shape: GqaShape, cache: CacheFormat, variant: TilesVariant): void {
  const { wgSize, tile, rowBlock, mixWords } = variant;
  checkWhole('tiles: mixWords', mixWords, 1, mixWidth(shape, cache, { ...variant, mixWords: 1 }));
  checkWhole('tiles: wgSize', wgSize, mixWidth(shape, cache, variant), 65536);
  checkWhole('tiles: tile', tile, 1, 65536);
  checkWhole('tiles: rowBlock', rowBlock, 1, 65536);
  if (tile > GROUPS && tile % GROUPS !== 0) {
    throw new ShapeError(`tiles: tile: expected at most ${GROUPS} or a multiple of it, got ${tile}`);
  }
}

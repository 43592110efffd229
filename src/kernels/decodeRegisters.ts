// decodeRegisters.ts: the fused kernel that keeps everything in registers (shaders/attention/decode_registers.wgsl).
import source from '../../shaders/attention/decode_registers.wgsl?raw';
import { FeatureMissingError, ShapeError } from '../device/errors.ts';
import type { DeviceFacts } from '../device/deviceFacts.ts';
import { link } from '../device/wgsl.ts';
import { rowWords, wordVec4s } from '../numbers/elements.ts';
import type { Kernel } from './kernel.ts';
import { cacheLibs, lseLib, NUMBERS, ROWS, STEP, SUBGROUP, WORK, type CacheFormat } from './lib.ts';
import { profileOf } from './profile.ts';
import { checkWhole, type GqaShape } from './shape.ts';
import { evenBlocks, isPowerOfTwo, powerOfTwoFrom, powerOfTwoUpTo } from './sizes.ts';

/** The sizes of one variant of the kernel. All but `teamRows` are powers of two. */
export interface RegistersVariant {
  readonly template: 'registers';
  /** Invocations of a workgroup. */
  readonly wgSize: number;
  /** Invocations that share a key: a team. At most the device's smallest subgroup. */
  readonly lanes: number;
  /** Keys that a team loads before it uses any. */
  readonly tokens: number;
  /** Query rows of a KV head that a team serves. */
  readonly teamRows: number;
  /** Teams side by side, each with other rows, that read the same keys. A workgroup serves teamRows * blocks rows. */
  readonly blocks: number;
}

/** The linked kernel; `lse`: it writes log-sum-exps. */
export function decodeRegisters(
  shape: GqaShape,
  cache: CacheFormat,
  variant: RegistersVariant,
  lse: boolean,
): Kernel {
  return {
    name: 'decode_registers',
    source: link({
      kernel: source,
      enables: ['subgroups'],
      libs: [STEP, NUMBERS, WORK, ROWS, SUBGROUP, lseLib(lse), ...cacheLibs(cache)],
      consts: registersConsts(shape, cache, variant),
    }),
  };
}

/** Constants of the shader. Those that bound its loops are literals here because only such loops can be unrolled. */
export function registersConsts(shape: GqaShape, cache: CacheFormat, variant: RegistersVariant) {
  const { wgSize, lanes, tokens, teamRows, blocks } = variant;
  const padRows = powerOfTwoFrom(teamRows);
  const values = padRows * tokens;
  const tokenLanes = Math.min(tokens, Math.max(1, lanes / padRows));
  const kLaneWords = Math.ceil(rowWords(cache.kType, shape.headDim) / lanes);
  const vLaneWords = Math.ceil(rowWords(cache.vType, shape.headDim) / lanes);
  return {
    HEAD_DIM: shape.headDim,
    ROWS: shape.rowsPerKvHead,
    ROW_BLOCK: teamRows * blocks,
    Q_LEN: shape.qLen,
    CAUSAL: shape.causal,
    WG_SIZE: wgSize,
    LANES: lanes,
    TOKENS: tokens,
    TEAM_ROWS: teamRows,
    BLOCKS: blocks,
    PAD_ROWS: padRows,
    HELD_ROWS: Math.max(1, padRows / lanes),
    HELD_TOKENS: tokens / tokenLanes,
    VALUES: values,
    HALF_VALUES: Math.floor(values / 2),
    STAGES: Math.log2(lanes),
    K_LANE_WORDS: kLaneWords,
    K_LANE_VEC4S: kLaneWords * wordVec4s(cache.kType),
    V_LANE_WORDS: vLaneWords,
    V_LANE_VEC4S: vLaneWords * wordVec4s(cache.vType),
  };
}

/** Workgroup memory of a variant in bytes: m and l of every team's rows, and one row of o of all invocations. */
export function registersWorkgroupBytes(
  { headDim }: GqaShape,
  { vType }: CacheFormat,
  { wgSize, lanes, teamRows }: RegistersVariant,
): number {
  const vec4s = Math.ceil(rowWords(vType, headDim) / lanes) * wordVec4s(vType);
  return (wgSize / lanes) * powerOfTwoFrom(teamRows) * 8 + wgSize * vec4s * 16;
}

/** Whether a device can run the kernel at all: it has subgroups, of at least two invocations. */
export function hasRegisters({ subgroups, subgroupMinSize }: DeviceFacts): boolean {
  return subgroups && subgroupMinSize >= 2;
}

const GPU_LANES = 16;
const GPU_WG_SIZE = 128;

/** The sizes that suit a device and shape, as long as nothing was measured. */
export function chooseRegisters(shape: GqaShape, cache: CacheFormat, facts: DeviceFacts): RegistersVariant {
  const fewestWords = Math.min(rowWords(cache.kType, shape.headDim), rowWords(cache.vType, shape.headDim));
  const most = facts.software ? facts.subgroupMinSize : Math.min(GPU_LANES, facts.subgroupMinSize);
  const lanes = powerOfTwoUpTo(Math.min(most, fewestWords));
  const sizesOf = facts.software ? softwareSizes : gpuSizes;
  return fitting(shape, cache, facts, sizesOf(shape, cache, facts, lanes));
}

/** A CPU runs subgroups one after the other: one to a workgroup, so that none waits for another. */
function softwareSizes(
  shape: GqaShape,
  cache: CacheFormat,
  facts: DeviceFacts,
  lanes: number,
): RegistersVariant {
  const teamRows = evenBlocks(
    shape.rowsPerKvHead,
    mostRows(shape, cache, lanes, profileOf(facts).keptFloats),
  );
  const wgSize = powerOfTwoUpTo(facts.subgroupMinSize);
  return { template: 'registers', wgSize, lanes, tokens: 1, teamRows, blocks: 1 };
}

/** A GPU: all rows of a KV head in one workgroup, as far as its teams reach, so that K and V come from memory once. */
function gpuSizes(shape: GqaShape, cache: CacheFormat, facts: DeviceFacts, lanes: number): RegistersVariant {
  const rows = shape.rowsPerKvHead;
  const wanted = powerOfTwoFrom(Math.ceil(rows / mostRows(shape, cache, lanes, profileOf(facts).keptFloats)));
  const limit = powerOfTwoUpTo(Math.min(256, facts.maxInvocations));
  const least = Math.min(limit, Math.max(GPU_WG_SIZE, wanted * lanes));
  const blocks = Math.min(wanted, least / lanes);
  const teamRows = Math.ceil(rows / (blocks * Math.ceil(wanted / blocks)));
  return {
    template: 'registers',
    wgSize: least,
    lanes,
    tokens: teamRows > 2 ? 2 : 4,
    teamRows,
    blocks,
  };
}

/** The same with fewer invocations where the device has too little workgroup memory. */
function fitting(
  shape: GqaShape,
  cache: CacheFormat,
  facts: DeviceFacts,
  sizes: RegistersVariant,
): RegistersVariant {
  if (registersWorkgroupBytes(shape, cache, sizes) <= facts.maxWorkgroupStorage) return sizes;
  const wgSize = sizes.wgSize / 2;
  const blocks = Math.min(sizes.blocks, wgSize / sizes.lanes);
  return fitting(shape, cache, facts, { ...sizes, wgSize, blocks });
}

function mostRows(
  { headDim }: GqaShape,
  { kType, vType }: CacheFormat,
  lanes: number,
  floats: number,
): number {
  const perRow = [kType, vType].reduce(
    (sum, type) => sum + 4 * wordVec4s(type) * Math.ceil(rowWords(type, headDim) / lanes),
    0,
  );
  return Math.max(1, Math.min(8, Math.floor(floats / perRow)));
}

/** Throws ShapeError for sizes that the shader is not made for, FeatureMissingError on a device without subgroups. */
export function checkRegisters(variant: RegistersVariant, facts: DeviceFacts): void {
  const { wgSize, lanes, tokens, teamRows, blocks } = variant;
  if (!hasRegisters(facts)) {
    throw new FeatureMissingError('subgroups', 'registers: the kernel needs subgroups, the device has none');
  }
  for (const [name, value] of Object.entries({ wgSize, lanes, tokens, blocks })) {
    if (!isPowerOfTwo(value))
      throw new ShapeError(`registers: ${name}: expected a power of two, got ${value}`);
  }
  checkWhole('registers: lanes', lanes, 2, facts.subgroupMinSize);
  checkWhole('registers: teamRows', teamRows, 1, 64);
  checkWhole('registers: tokens', tokens, 1, 16);
  checkWhole('registers: wgSize', wgSize, lanes * blocks, 65536);
}

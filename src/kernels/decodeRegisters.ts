// decodeRegisters.ts: the fused kernel that keeps everything in registers (shaders/attention/decode_registers.wgsl).
import source from '../../shaders/attention/decode_registers.wgsl?raw';
import merge from '../../shaders/lib/registers_merge.wgsl?raw';
import keyRows from '../../shaders/lib/registers_rows.wgsl?raw';
import round from '../../shaders/lib/registers_round.wgsl?raw';
import { link } from '../device/wgsl.ts';
import type { KvType } from '../numbers/elements.ts';
import { laneWords } from './laneWords.ts';
import { fusedConsts, fusedLibs } from './fusedLibs.ts';
import type { Kernel } from './kernel.ts';
import { elementsLib, PLACE, PLACE_BYTES, RESCALE, SUBGROUP, type CacheFormat } from './lib.ts';
import type { RowFormats } from './rowFormats.ts';
import type { GqaShape } from './shape.ts';
import { powerOfTwoFrom, powerOfTwoUpTo } from './sizes.ts';

/** The sizes of one variant of the kernel. All numbers but `teamRows` are powers of two. */
export interface RegistersVariant {
  readonly template: 'registers';
  /** Invocations of a workgroup. */
  readonly wgSize: number;
  /** Invocations that share a key: a team. At least 4, at most the device's smallest subgroup. */
  readonly lanes: number;
  /** Keys that a team loads before it uses any. */
  readonly tokens: number;
  /** Query rows of a KV head that a team serves. */
  readonly teamRows: number;
  /** Teams side by side, each with other rows, that read the same keys. A workgroup serves teamRows * blocks rows. */
  readonly blocks: number;
  /** Where q is kept: in registers, or in workgroup memory, from where it is read in every round. */
  readonly q: 'registers' | 'workgroup';
  /** Whose instructions are cheap: a GPU converts integers and hates branches, a CPU the other way round. */
  readonly code: 'gpu' | 'cpu';
}

/** The linked kernel; `subgroupSize`: what its subgroups are asked to be. */
export function decodeRegisters(
  shape: GqaShape,
  cache: CacheFormat,
  variant: RegistersVariant,
  rows: RowFormats,
  subgroupSize?: number,
): Kernel {
  return {
    name: 'decode_registers',
    source: link({
      kernel: source,
      enables: ['subgroups'],
      subgroupSize,
      libs: [SUBGROUP, ...registersLibs(shape, cache, variant, rows)],
      consts: registersConsts(shape, cache, variant),
    }),
  };
}

/** What the shader links, but for lib subgroup. */
export function registersLibs(
  shape: GqaShape,
  cache: CacheFormat,
  { lanes, code }: RegistersVariant,
  rows: RowFormats,
): string[] {
  const { headDim, vHeadDim } = shape;
  const gpu = code === 'gpu';
  const elements = (name: 'k' | 'v', type: KvType, dim: number) =>
    elementsLib(name, type, laneWords(type, dim, lanes).bytes, gpu ? 'converted' : 'bits');
  const rescale = RESCALE[gpu ? 'always' : 'seldom'];
  const own = [keyRows, round, merge, rescale, PLACE[code]];
  const stored = [elements('k', cache.kType, headDim), elements('v', cache.vType, vHeadDim)];
  return [...own, ...fusedLibs(shape, cache, rows), ...stored];
}

/** Constants of the shader. Those that bound its loops are literals here because only such loops can be unrolled. */
export function registersConsts(shape: GqaShape, cache: CacheFormat, variant: RegistersVariant) {
  const { wgSize, lanes, tokens, teamRows, blocks } = variant;
  const padRows = powerOfTwoFrom(teamRows);
  const rowLanes = Math.min(padRows, QUAD);
  const tokenLanes = Math.min(tokens, QUAD / rowLanes);
  const halvings = Math.log2(rowLanes * tokenLanes);
  const k = laneWords(cache.kType, shape.headDim, lanes);
  const v = laneWords(cache.vType, shape.vHeadDim, lanes);
  const { mergeRows, sharedVec4s } = sharedMemory(shape, cache, variant);
  const shared = variant.q === 'workgroup';
  return {
    ...fusedConsts(shape, teamRows * blocks),
    WG_SIZE: wgSize,
    LANES: lanes,
    TOKENS: tokens,
    TEAM_ROWS: teamRows,
    BLOCKS: blocks,
    PAD_ROWS: padRows,
    HELD_ROWS: padRows / rowLanes,
    HELD_TOKENS: tokens / tokenLanes,
    HELD: (padRows * tokens) / (rowLanes * tokenLanes),
    VALUES: padRows * tokens,
    HALF_VALUES: Math.floor((padRows * tokens) / 2),
    HALVINGS: halvings,
    SUMMINGS: Math.log2(lanes) - halvings,
    K_LANE_WORDS: k.words,
    K_LANE_VEC4S: k.vec4s,
    V_LANE_WORDS: v.words,
    V_LANE_VEC4S: v.vec4s,
    Q_SHARED: shared,
    // A branch is cheaper than a look-up on a CPU; on a GPU it would part the loads of a round.
    SHIFTS_KEPT: variant.code === 'cpu',
    // q that is read from workgroup memory serves all keys at once; else few unpacked keys are live at a time.
    TOKEN_GROUP: shared ? tokens : 1,
    TOKEN_GROUPS: shared ? 1 : tokens,
    // What keeps q out of registers is short of them: words are loaded as they are used.
    K_LATE: shared && k.words > 1,
    V_LATE: shared && v.words > 1,
    MERGE_ROWS: mergeRows,
    MERGE_PASSES: Math.ceil(teamRows / mergeRows),
    RUN_GROUP: Math.min(4, powerOfTwoFrom(wgSize / lanes / blocks)),
    SHARED_VEC4S: sharedVec4s,
  };
}

/** Invocations among which exchanges are cheapest, and whose numbers are literals to the compiler. */
const QUAD = 4;

/** Workgroup memory for merging at most, where one row of every team fits: more would leave fewer workgroups resident. */
const MERGE_BYTES = 8192;

/** Rows of each team that are merged at a time, and what q and they need of workgroup memory, one after the other. */
function sharedMemory(
  { headDim, vHeadDim }: GqaShape,
  { kType, vType }: CacheFormat,
  { wgSize, lanes, teamRows, blocks, q }: RegistersVariant,
): { mergeRows: number; sharedVec4s: number } {
  const rowVec4s = wgSize * laneWords(vType, vHeadDim, lanes).vec4s; // a row of every team
  const qVec4s = q === 'workgroup' ? teamRows * blocks * lanes * laneWords(kType, headDim, lanes).vec4s : 1;
  const most = Math.max(MERGE_BYTES / 16, qVec4s);
  const mergeRows = powerOfTwoUpTo(Math.min(teamRows, Math.max(1, most / rowVec4s)));
  return { mergeRows, sharedVec4s: Math.max(qVec4s, mergeRows * rowVec4s) };
}

/** Workgroup memory of a variant in bytes: m and l of every team's rows, and what q and the merged rows share. */
export function registersWorkgroupBytes(
  shape: GqaShape,
  cache: CacheFormat,
  variant: RegistersVariant,
): number {
  const { wgSize, lanes, teamRows, code } = variant;
  const states = (wgSize / lanes) * powerOfTwoFrom(teamRows) * 8;
  const place = code === 'gpu' ? PLACE_BYTES : 0;
  return states + sharedMemory(shape, cache, variant).sharedVec4s * 16 + place;
}

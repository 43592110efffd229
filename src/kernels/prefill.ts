// prefill.ts: the fused kernel for chunks of many positions (shaders/attention/prefill.wgsl).
import source from '../../shaders/attention/prefill.wgsl?raw';
import keysDirect from '../../shaders/lib/keys_direct.wgsl?raw';
import keysStaged from '../../shaders/lib/keys_staged.wgsl?raw';
import type { DeviceFacts } from '../device/deviceFacts.ts';
import { link } from '../device/wgsl.ts';
import { fusedConsts, fusedLibs } from './fusedLibs.ts';
import type { Kernel } from './kernel.ts';
import { elementsLib, type CacheFormat } from './lib.ts';
import { ELEMENT_FORMATS, type KvType, type WordBytes } from '../numbers/elements.ts';
import { profileOf } from './profile.ts';
import type { RowFormats } from './rowFormats.ts';
import { checkWhole, type GqaShape } from './shape.ts';
import { powerOfTwoUpTo } from './sizes.ts';

/** The sizes of one variant of the kernel. */
export interface PrefillVariant {
  readonly template: 'prefill';
  /** Invocations of a workgroup: rowBlock / rows * tile / keys. */
  readonly wgSize: number;
  /** Keys between two mixes of values. */
  readonly tile: number;
  /** Query rows of a KV head that one workgroup serves. */
  readonly rowBlock: number;
  /** Rows and keys of a tile whose scores an invocation has. */
  readonly rows: number;
  readonly keys: number;
}

/** Vec4s of a row of q and K that lie in workgroup memory at once. */
const SLICE = 4;

/** The least workgroup of a GPU. Below it each key belongs to one invocation. */
const GPU_WG_SIZE = 32;

function forCpu({ wgSize }: PrefillVariant): boolean {
  return wgSize < GPU_WG_SIZE;
}

/** Invocations that share a row's scores. */
function groupsOf({ wgSize, rowBlock }: PrefillVariant): number {
  return Math.max(1, Math.floor(wgSize / rowBlock));
}

/** Rows that an invocation writes at a time, by way of workgroup memory: fewer take less of it, and more code. */
function outRows(variant: PrefillVariant): number {
  return forCpu(variant) || variant.rows % 2 > 0 ? variant.rows : 2;
}

/** Bytes of four elements, of int4 eight: a vector that is picked out of a larger word would lie in memory on some GPUs. */
function wordBytes(type: KvType): WordBytes {
  return Math.max(4, ELEMENT_FORMATS[type].bits / 2) as WordBytes;
}

/** The linked kernel. */
export function prefillKernel(
  shape: GqaShape,
  cache: CacheFormat,
  variant: PrefillVariant,
  rows: RowFormats,
): Kernel {
  const { tile, rowBlock, keys } = variant;
  return {
    name: 'prefill',
    source: link({
      kernel: source,
      libs: [
        ...fusedLibs(shape, cache, rows),
        forCpu(variant) ? keysDirect : keysStaged,
        elementsLib('k', cache.kType, wordBytes(cache.kType), 'bits'),
        elementsLib('v', cache.vType, wordBytes(cache.vType), 'bits'),
      ],
      consts: {
        ...fusedConsts(shape, rowBlock),
        TILE: tile,
        ROWS: variant.rows,
        KEYS: keys,
        SLICE,
        GROUPS: groupsOf(variant),
        OUT_ROWS: outRows(variant),
        OUT_TURNS: variant.rows / outRows(variant),
        PARTS: Math.ceil(shape.vHeadDim / 4 / (tile / keys)),
      },
    }),
  };
}

/** Workgroup memory of a variant in bytes. */
export function prefillWorkgroupBytes({ headDim }: GqaShape, variant: PrefillVariant): number {
  const { wgSize, tile, rowBlock } = variant;
  const vec4s = forCpu(variant) ? (rowBlock * headDim) / 4 : (SLICE + 1) * (rowBlock + tile);
  const numbers = rowBlock * (tile + 2 * groupsOf(variant) + 3);
  return 16 * (vec4s + wgSize * outRows(variant)) + 4 * numbers;
}

/** The sizes that suit a device, as long as nothing was measured. */
export function choosePrefill(shape: GqaShape, cache: CacheFormat, facts: DeviceFacts): PrefillVariant {
  return facts.software ? cpuSizes(shape) : gpuSizes(shape, cache, facts);
}

/** On a CPU: invocations of a workgroup, one vector, and keys of a tile. */
const CPU_INVOCATIONS = 8;
const CPU_TILE = 32;

/** Vec4s of o that an invocation has there at most: more take long to compile. */
const CPU_VEC4S = 32;

/** All invocations of a CPU have the same rows, so that a vector of them reads each once. */
function cpuSizes({ headDim, vHeadDim }: GqaShape): PrefillVariant {
  const parts = Math.ceil(Math.max(headDim, vHeadDim) / 4 / CPU_INVOCATIONS);
  const rows = Math.min(8, powerOfTwoUpTo(CPU_VEC4S / parts));
  return {
    template: 'prefill',
    wgSize: CPU_INVOCATIONS,
    tile: CPU_TILE,
    rowBlock: rows,
    rows,
    keys: CPU_TILE / CPU_INVOCATIONS,
  };
}

/** On a GPU: invocations of a workgroup, its rows, and keys of a tile, at most. More rows or keys take more than 16 KiB. */
const GPU_INVOCATIONS = 128;
const GPU_ROWS = 32;
const GPU_TILE = 32;

/** Keys of a tile, and invocations to a row of V, where rows are longer than that: 32 would have four vectors of each, which spilled on Intel. */
const GPU_WIDE_ROW = 256;
const GPU_WIDE_TILE = 64;

/** Numbers that an invocation of a GPU may keep for twice as many rows and keys. */
const MANY_NUMBERS = 100;

/**
 * Whether what there is to know of each key and row takes the registers of half of the rows: by several of features that look at their
 * places and unlike types of K and V. Seen in Intel's compiler, which spilled.
 */
function isCrowded({ features }: GqaShape, { kType, vType }: CacheFormat): boolean {
  const { window, treeMask, bias, alibi, relativeBias } = features;
  const looking = [window, treeMask, bias, alibi, relativeBias].filter((each) => each !== undefined);
  return looking.length + (kType === vType ? 0 : 1) > 1;
}

/** So many invocations to a row of V that each has few of its vectors, and then as many rows as registers allow. */
function gpuSizes(shape: GqaShape, cache: CacheFormat, facts: DeviceFacts): PrefillVariant {
  const { vHeadDim } = shape;
  const more = profileOf(facts).registers.liveNumbers < MANY_NUMBERS ? 1 : 2;
  const widest = vHeadDim > GPU_WIDE_ROW ? GPU_WIDE_TILE : GPU_TILE;
  const columns = Math.max(8, Math.min(widest, powerOfTwoUpTo(vHeadDim / 4)));
  const parts = Math.ceil(vHeadDim / 4 / columns);
  const most = more === 1 && isCrowded(shape, cache) ? 2 : 4 * more;
  const rows = powerOfTwoUpTo(Math.max(1, most / parts));
  const teams = Math.min(GPU_INVOCATIONS / columns, GPU_ROWS / rows);
  const tile = Math.max(columns, Math.min(GPU_TILE, columns * more));
  return {
    template: 'prefill',
    wgSize: teams * columns,
    tile,
    rowBlock: teams * rows,
    rows,
    keys: tile / columns,
  };
}

/** Throws ShapeError for sizes that the shader is not made for. */
export function checkPrefill({ wgSize, tile, rowBlock, rows, keys }: PrefillVariant): void {
  for (const [name, value] of Object.entries({ tile, rowBlock, rows, keys }))
    checkWhole(`prefill: ${name}`, value, 1, 65536);
  checkWhole('prefill: rowBlock / rows', rowBlock / rows, 1, 65536);
  checkWhole('prefill: tile / keys', tile / keys, 1, 65536);
  checkWhole('prefill: wgSize', wgSize, (rowBlock / rows) * (tile / keys), (rowBlock / rows) * (tile / keys));
}

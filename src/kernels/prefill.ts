// prefill.ts: the fused kernel for chunks of many positions (shaders/attention/prefill.wgsl).
import source from '../../shaders/attention/prefill.wgsl?raw';
import type { DeviceFacts } from '../device/deviceFacts.ts';
import { link } from '../device/wgsl.ts';
import { featureConsts, featureLibs } from './features.ts';
import type { Kernel } from './kernel.ts';
import { elementsLib, NUMBERS, rowsLib, STEP, workConsts, type CacheFormat } from './lib.ts';
import { ELEMENT_FORMATS, type KvType, type WordBytes } from '../numbers/elements.ts';
import { workLibs, type RowFormats } from './rowFormats.ts';
import { checkWhole, type GqaShape } from './shape.ts';

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

/** Vec4s of a row of q and K that lie in workgroup memory at once: more where barriers cost more than memory. */
function sliceOf({ wgSize }: PrefillVariant): number {
  return wgSize < 32 ? 16 : 4;
}

/** Bytes of four elements, of int4 eight: a vector that is picked out of a larger word would lie in memory on some GPUs. */
function wordBytes(type: KvType): WordBytes {
  return Math.max(4, ELEMENT_FORMATS[type].bits / 2) as WordBytes;
}

/** The linked kernel. */
export function prefill(
  shape: GqaShape,
  cache: CacheFormat,
  variant: PrefillVariant,
  rows: RowFormats,
): Kernel {
  const { tile, rowBlock, keys } = variant;
  return {
    name: 'decode_prefill',
    source: link({
      kernel: source,
      libs: [
        STEP,
        NUMBERS,
        ...workLibs(rows),
        rowsLib(cache),
        ...featureLibs(shape),
        elementsLib('k', cache.kType, wordBytes(cache.kType), 'bits'),
        elementsLib('v', cache.vType, wordBytes(cache.vType), 'bits'),
      ],
      consts: {
        HEAD_DIM: shape.headDim,
        V_DIM: shape.vHeadDim,
        ...workConsts(shape, rowBlock),
        ...featureConsts(shape),
        TILE: tile,
        ROWS: variant.rows,
        KEYS: keys,
        SLICE: sliceOf(variant),
        PARTS: Math.ceil(shape.vHeadDim / 4 / (tile / keys)),
      },
    }),
  };
}

/** Workgroup memory of a variant in bytes. */
export function prefillWorkgroupBytes(variant: PrefillVariant): number {
  const { wgSize, tile, rowBlock, rows, keys } = variant;
  return (
    16 * (sliceOf(variant) + 1) * (rowBlock + tile) + 4 * rowBlock * (tile + tile / keys) + 12 * wgSize * rows
  );
}

/** The sizes that suit a device, as long as nothing was measured. */
export function choosePrefill(facts: DeviceFacts): PrefillVariant {
  return facts.software
    ? { template: 'prefill', wgSize: 8, tile: 32, rowBlock: 8, rows: 8, keys: 4 }
    : { template: 'prefill', wgSize: 128, tile: 32, rowBlock: 32, rows: 2, keys: 4 };
}

/** Throws ShapeError for sizes that the shader is not made for. */
export function checkPrefill({ wgSize, tile, rowBlock, rows, keys }: PrefillVariant): void {
  for (const [name, value] of Object.entries({ tile, rowBlock, rows, keys }))
    checkWhole(`prefill: ${name}`, value, 1, 65536);
  checkWhole('prefill: rowBlock / rows', rowBlock / rows, 1, 65536);
  checkWhole('prefill: tile / keys', tile / keys, 1, 65536);
  checkWhole('prefill: wgSize', wgSize, (rowBlock / rows) * (tile / keys), (rowBlock / rows) * (tile / keys));
}

// counts.ts: what one round of the registers kernel costs, counted in the linked and unrolled text: no device needed.
//
// A round is one turn of the loop over an item's keys. What it loads and multiplies is unrolled and called once, so
// occurrences in the text are operations of an invocation. Exchanges are counted from the sizes: their loops shrink.
import { cacheLayout, checkShape, type DeviceFacts, type KvType } from '../../src/index.ts';
import { planContext } from '../../src/decode/planContext.ts';
import { variantName } from '../../src/kernels/fused.ts';
import {
  decodeRegisters,
  registersConsts,
  type RegistersVariant,
} from '../../src/kernels/decodeRegisters.ts';
import { rowBytes } from '../../src/numbers/elements.ts';
import { markdownTable, type Column } from '../text/format.ts';

/** A GPU of subgroups of 32 and WebGPU's guaranteed limits, as plans see it. */
export const NVIDIA_LIKE: DeviceFacts = {
  software: false,
  vendor: 'nvidia',
  subgroups: true,
  subgroupMinSize: 32,
  subgroupMaxSize: 32,
  matrixUnit: 0,
  maxInvocations: 256,
  maxWorkgroupStorage: 16384,
  maxBindingBytes: 128 * 2 ** 20,
  maxBufferBytes: 256 * 2 ** 20,
  maxGrid: 65535,
};

/** Operations of one invocation in one round, and what the round gets done. */
export interface RoundCounts {
  readonly name: string;
  /** Keys that all teams of a workgroup with the same rows take in a round. */
  readonly keys: number;
  /** 16-byte words of K and V that an invocation asks for before it uses any. */
  readonly words: number;
  /** Bytes asked for by a workgroup for each byte of K and V: how many of its teams read the same. */
  readonly bytesPerByte: number;
  /** Fused multiply-adds of QK and AV. */
  readonly products: number;
  /** Exchanges and broadcasts within a subgroup. */
  readonly exchanges: number;
  readonly exps: number;
  readonly barriers: number;
}

/** Counts for a group of `groupSize` query heads to each of 8 KV heads of 128 elements, in the sizes a GPU takes unmeasured. */
export function roundCounts(groupSize: number, type: KvType): RoundCounts {
  const shape = checkShape({ numQHeads: 8 * groupSize, numKvHeads: 8, headDim: 128 });
  const layout = cacheLayout({ numKvHeads: 8, headDim: 128, capacity: 4096, kType: type });
  const { variant } = planContext(shape, layout, NVIDIA_LIKE, { kernel: 'registers' });
  const sizes = variant as RegistersVariant;
  const round = roundText(decodeRegisters(shape, layout, sizes, false).source);
  const runs = sizes.wgSize / sizes.lanes / sizes.blocks;
  const keys = runs * sizes.tokens;
  const words = count(round, /[kv]_cache\[row \*/g);
  const asked = words * 16 * sizes.wgSize;
  return {
    name: variantName(sizes),
    keys,
    words,
    bytesPerByte: asked / (keys * 2 * rowBytes(type, 128)),
    products: 4 * (count(round, /\bdot\(/g) + count(round, /\+= weight \*/g)),
    exchanges: exchangesOf(registersConsts(shape, layout, sizes)),
    exps: count(round, /\bexp\(/g),
    barriers: count(round, /workgroupBarrier\(/g),
  };
}

/** The butterfly; the maxima of the held rows; each row's factor and each weight to the whole team. */
function exchangesOf(c: ReturnType<typeof registersConsts>): number {
  let butterfly = 0;
  for (let stage = 1; stage <= c.STAGES; stage++) butterfly += Math.max(1, c.VALUES >> stage);
  const maxima = c.HELD_ROWS * Math.log2(c.TOKENS / c.HELD_TOKENS);
  return butterfly + maxima + c.TEAM_ROWS + c.TEAM_ROWS * c.TOKENS;
}

/** The functions that a round calls, and the body of its loop. */
const ROUND = ['score', 'reduce', 'weigh', 'rescale', 'mix'];

function roundText(source: string): string {
  const loop = source.slice(source.indexOf('for (var first ='), source.indexOf('sum_held(me'));
  return [loop, ...ROUND.map((name) => bodyOf(source, name))].join('\n');
}

function bodyOf(source: string, name: string): string {
  const start = source.indexOf(`\nfn ${name}(`);
  return source.slice(start + 1, source.indexOf('\n}', start));
}

function count(text: string, pattern: RegExp): number {
  return (text.match(pattern) ?? []).length;
}

const COLUMNS: readonly Column[] = [
  { title: 'Hq/Hkv', align: 'right' },
  { title: 'KV type', align: 'left' },
  { title: 'variant', align: 'left' },
  ...['keys', 'words ahead', 'bytes asked per byte', 'products', 'exchanges', 'exps', 'barriers'].map(
    (title): Column => ({ title, align: 'right' }),
  ),
];

/** The table of groups and element types. */
export function countsTable(): string {
  const rows = (['f16', 'int8', 'int4'] as const).flatMap((type) =>
    [1, 4, 8, 32].map((group) => {
      const c = roundCounts(group, type);
      const numbers = [
        c.keys,
        c.words,
        c.bytesPerByte.toFixed(2),
        c.products,
        c.exchanges,
        c.exps,
        c.barriers,
      ];
      return [String(group), type, c.name, ...numbers.map(String)];
    }),
  );
  return markdownTable(COLUMNS, rows);
}

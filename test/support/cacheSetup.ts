// cacheSetup.ts: the caches that sequences of calls run on: contiguous, with rings, of pages, of the caller's pages; in one binding and beyond.
import fc from 'fast-check';
import {
  cacheLayout,
  type CacheOptions,
  type DecodeKernel,
  type GqaError,
  type KvType,
  type LayerOptions,
  type RingOptions,
} from '../../src/index.ts';
import { storedBytes, type RowsLayout } from '../../src/numbers/elements.ts';

export const BATCH = 3;
export const Q_HEADS = 4;

export type ErrorClass = new (...args: never[]) => GqaError;

/** What differs between the caches and decoders that sequences of calls run on. */
export interface Setup {
  readonly kType: KvType;
  readonly vType: KvType;
  /** Undefined: the decoder's own choice. */
  readonly kernel: DecodeKernel | undefined;
  readonly qLen: number;
  readonly capacity: number;
  readonly layers: readonly LayerSetup[];
  /** Left out, the cache has no pages. */
  readonly paged?: {
    readonly pageSize: number;
    readonly pages: number;
    readonly pageTables: 'cache' | 'caller';
    /** Pages that a binding has room for. */
    readonly perBinding: number;
  };
  /** KV heads of the largest layer that a binding has room for, over all sequences, where these are spread. */
  readonly headsPerBinding?: number;
}

/** A layer with all that it may have of its own. */
export interface LayerSetup extends Required<Omit<LayerOptions, 'ring'>> {
  readonly ring?: Required<RingOptions>;
}

const layer = (numKvHeads: number, headDim: number, vHeadDim = headDim): LayerSetup => ({
  numKvHeads,
  headDim,
  vHeadDim,
});
const ring = (window: number, sinkTokens: number, chunk: number) => ({ window, sinkTokens, chunk });

/** What kernels are compiled for, and how many tokens a sequence may come to: at least as many as the rings have slots, but for the last. */
type Form = Omit<Setup, 'capacity' | 'paged' | 'headsPerBinding'> & {
  readonly capacities: readonly [number, number];
};

const PLAIN_FORMS: readonly Form[] = [
  {
    kType: 'f32',
    vType: 'f32',
    kernel: 'tiles',
    qLen: 1,
    layers: [layer(2, 64), layer(2, 64)],
    capacities: [9, 30],
  },
  {
    kType: 'int4',
    vType: 'bf16',
    kernel: 'plain',
    qLen: 3,
    layers: [layer(2, 64), layer(1, 32, 64)],
    capacities: [9, 30],
  },
];

const RING_FORMS: readonly Form[] = [
  // Some layers have rings, others none.
  {
    kType: 'f16',
    vType: 'int8',
    kernel: undefined,
    qLen: 1,
    layers: [layer(2, 32), { ...layer(2, 32), ring: ring(5, 3, 4) }, layer(2, 32)],
    capacities: [20, 70],
  },
  {
    kType: 'int8',
    vType: 'f32',
    kernel: undefined,
    qLen: 3,
    layers: [
      { ...layer(2, 32), ring: ring(6, 0, 5) },
      { ...layer(1, 64, 32), ring: ring(1, 4, 3) },
    ],
    capacities: [20, 70],
  },
  {
    kType: 'bf16',
    vType: 'int4',
    kernel: 'plain',
    qLen: 2,
    layers: [layer(2, 32), { ...layer(2, 32), ring: ring(9, 1, 2) }],
    capacities: [20, 70],
  },
  // Slots for all tokens, though there is a ring.
  {
    kType: 'f32',
    vType: 'f16',
    kernel: 'tiles',
    qLen: 1,
    layers: [{ ...layer(2, 32), ring: ring(12, 2, 8) }, layer(2, 32)],
    capacities: [13, 13],
  },
];

const PAGE_FORMS: readonly Form[] = [
  {
    kType: 'int8',
    vType: 'f16',
    kernel: undefined,
    qLen: 1,
    layers: [layer(2, 64), layer(2, 64)],
    capacities: [12, 50],
  },
  {
    kType: 'bf16',
    vType: 'int4',
    kernel: 'tiles',
    qLen: 3,
    layers: [layer(2, 32), layer(1, 64, 32)],
    capacities: [12, 50],
  },
  {
    kType: 'f32',
    vType: 'int8',
    kernel: 'prefill',
    qLen: 6,
    layers: [layer(1, 32), layer(2, 32), layer(1, 32)],
    capacities: [12, 50],
  },
];

const PAGE_SIZE = 8;

const countsOf = ({ capacities: [least, most] }: Form) => fc.integer({ min: least, max: most });

const withoutPages = (forms: readonly Form[]) =>
  fc.constantFrom(...forms).chain((form) => countsOf(form).map((capacity): Setup => ({ ...form, capacity })));

const withSegments = (forms: readonly Form[]) =>
  fc
    .record({ setup: withoutPages(forms), headsPerBinding: fc.constantFrom(1, 2, 5) })
    .map(({ setup, headsPerBinding }): Setup => ({ ...setup, headsPerBinding }));

const withPages = (pageTables: 'cache' | 'caller', segments: readonly number[]) =>
  fc
    .constantFrom(...PAGE_FORMS)
    .chain((form) =>
      fc.record({
        form: fc.constant(form),
        capacity: countsOf(form),
        room: fc.double({ min: 0.4, max: 1.1, noNaN: true }),
        parts: fc.constantFrom(...segments),
      }),
    )
    .map(({ form, capacity, room, parts }): Setup => {
      const pages = Math.max(3, Math.round(room * BATCH * Math.ceil(capacity / PAGE_SIZE)));
      const perBinding = Math.ceil(pages / parts);
      return { ...form, capacity, paged: { pageSize: PAGE_SIZE, pages, pageTables, perBinding } };
    });

/** Of each kind about as many. */
export const SETUPS: fc.Arbitrary<Setup> = fc.oneof(
  withoutPages(PLAIN_FORMS),
  withoutPages(RING_FORMS.filter(({ layers }) => layers.every((each) => each.ring))),
  withoutPages(RING_FORMS.filter(({ layers }) => !layers.every((each) => each.ring))),
  withSegments(PLAIN_FORMS),
  withSegments(RING_FORMS),
  withPages('cache', [1]),
  withPages('cache', [2, 3, 4]),
  withPages('caller', [1]),
  withPages('caller', [2, 3, 4]),
);

/** A cache of each kind, for tests that compile all anew. */
export const FEW_SETUPS = fc.constantFrom<Setup>(
  { ...PLAIN_FORMS[0]!, capacity: 12 },
  { ...RING_FORMS[0]!, capacity: 40 },
  { ...PAGE_FORMS[0]!, capacity: 12, paged: { pageSize: 8, pages: 6, pageTables: 'cache', perBinding: 3 } },
);

/** The kinds of caches. */
export const KINDS = [
  'contiguous',
  'rings in all layers',
  'rings in some layers',
  'heads in segments',
  'rings in segments',
  'pages in one binding',
  'pages in segments',
  "the caller's pages in one binding",
  "the caller's pages in segments",
] as const;

/** Which of them a cache is. */
export function kindOf({ layers, paged, headsPerBinding }: Setup): (typeof KINDS)[number] {
  if (paged) {
    const where = paged.perBinding < paged.pages ? 'segments' : 'one binding';
    return paged.pageTables === 'caller' ? `the caller's pages in ${where}` : `pages in ${where}`;
  }
  const rings = layers.filter((each) => each.ring).length;
  if (headsPerBinding !== undefined) return rings === 0 ? 'heads in segments' : 'rings in segments';
  if (rings === 0) return 'contiguous';
  return `rings in ${rings < layers.length ? 'some' : 'all'} layers`;
}

/** The options of its cache. */
export function cacheOptions({ kType, vType, capacity, layers, paged }: Setup): CacheOptions {
  const { numKvHeads, headDim, vHeadDim } = layers[0]!;
  const { perBinding: _, ...pool } = paged ?? { perBinding: 0 };
  return { batch: BATCH, numKvHeads, headDim, vHeadDim, capacity, ...pool, layers, kType, vType };
}

/** Bytes that a binding may have for the cache to have the segments of its setup; undefined for any. */
export function bindingBytes(setup: Setup): number | undefined {
  const { paged, headsPerBinding } = setup;
  if (headsPerBinding !== undefined) {
    const { perLayer } = cacheLayout(cacheOptions(setup));
    const bytesOf = (rows: RowsLayout) => storedBytes({ ...rows, heads: headsPerBinding });
    return Math.max(...perLayer.flatMap(({ k, v }) => [bytesOf(k), bytesOf(v)]));
  }
  if (!paged || paged.perBinding >= paged.pages) return undefined;
  const { perLayer } = cacheLayout({ ...cacheOptions(setup), pages: paged.perBinding });
  return Math.max(...perLayer.flatMap(({ kBytes, vBytes }) => [kBytes, vBytes]));
}

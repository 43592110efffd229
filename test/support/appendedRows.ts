// appendedRows.ts: runs append_kv over a cache that holds rows, and holds every byte and counter against the twin.
import { expect } from 'vitest';
import { normals } from '../../src/numbers/random.ts';
import {
  appendGrid,
  appendKv as appendKvKernel,
  appendStepWords,
  setAppended,
} from '../../src/kernels/appendKv.ts';
import { rowPlaces } from '../../src/kernels/rowPlaces.ts';
import { scalesStart, type KvType, type RowsLayout } from '../../src/numbers/elements.ts';
import { encodeRows } from '../../src/numbers/storedRows.ts';
import { type Append, appendKv } from '../reference/appendKv.ts';
import {
  blocksOf,
  int4Scale,
  int8Scale,
  lostOf,
  nearestBfloat,
  nearestHalf,
  nearestStep,
  placeOf,
  stepsOf,
} from '../reference/storedRows.ts';
import { testDevice } from './device.ts';
import { runKernel } from './runKernel.ts';

/** One append but for its rows; V has rows of `headDim` elements too unless `vHeadDim` says otherwise. */
export type Sizes = Omit<Append, 'rows'> & { readonly vHeadDim?: number };
export type Bytes = Uint8Array<ArrayBuffer>;

export const CONTROL: Sizes = { kvLens: [0, 3, 7], numKvHeads: 2, numTokens: 1, capacity: 9, headDim: 64 };

/** The rows of a cache of these sizes. */
export function layoutOf({ kvLens, numKvHeads, capacity, headDim }: Sizes, type: KvType): RowsLayout {
  return { type, headDim, heads: kvLens.length * numKvHeads, capacity };
}

/** What the cache holds before: a row in every slot, with scales, and no empty byte between them. */
function initial(layout: RowsLayout, seed: number): Bytes {
  const count = layout.heads * layout.capacity * layout.headDim;
  const stored = encodeRows(
    layout,
    normals(seed, count).map((x, i) => x * 2 ** (i % 9)),
  );
  return stored.map((byte) => byte || 0x5a);
}

/** What the counters say before. */
const COUNTED = Uint32Array.of(40, 1, 2, 3, 11, 12, 13);

/** The words of the `step` binding for dense rows of f32. */
export function appendStep(
  { kvLens, numKvHeads, numTokens, capacity, counts }: Omit<Sizes, 'headDim'>,
  k: RowsLayout,
  v: RowsLayout,
): Uint32Array<ArrayBuffer> {
  const batch = kvLens.length;
  const axes = { batch, heads: numKvHeads, qLen: numTokens };
  const scales = { kScales: scalesStart(k), vScales: scalesStart(v) };
  const words = appendStepWords({ batch, numKvHeads, capacity, ...scales });
  const places = { k: rowPlaces('k', {}, axes, k.headDim), v: rowPlaces('v', {}, axes, v.headDim) };
  setAppended(words, places, kvLens, counts ?? kvLens.map(() => numTokens));
  return words;
}

/** Appends to a cache that holds rows already, and holds all it wrote against the twin. Returns K's bytes. */
export async function append(
  sizes: Sizes,
  [kType, vType]: readonly [KvType, KvType],
  values?: Float32Array<ArrayBuffer>,
): Promise<Bytes> {
  const { kvLens, numKvHeads, numTokens, headDim, vHeadDim = headDim } = sizes;
  const counts = sizes.counts ?? kvLens.map(() => numTokens);
  const vSizes = { ...sizes, headDim: vHeadDim };
  const [kLayout, vLayout] = [layoutOf(sizes, kType), layoutOf(vSizes, vType)];
  const rows = kLayout.heads * numTokens;
  const k = values ?? normals(1, rows * headDim);
  const v = values ?? normals(2, rows * vHeadDim);
  const before = { k: initial(kLayout, 3), v: initial(vLayout, 4) };
  const { k_cache, v_cache, status } = await runKernel(await testDevice(), {
    kernel: appendKvKernel({ numKvHeads, headDim, vHeadDim, kType, vType }),
    grid: appendGrid(kvLens.length, { numKvHeads, numQHeads: 0 }, Math.max(...counts)),
    inputs: { k, v },
    outputs: { k_cache: before.k, v_cache: before.v, status: COUNTED },
    step: appendStep({ ...sizes, counts }, kLayout, vLayout),
  });
  const lost = [
    ...expectAppended({ ...sizes, rows: k }, kLayout, before.k, k_cache as Bytes),
    ...expectAppended({ ...vSizes, rows: v }, vLayout, before.v, v_cache as Bytes),
  ];
  expect([...status!]).toEqual([1, ...lost].map((more, i) => COUNTED[i]! + more));
  return k_cache as Bytes;
}

/** The same; K and V get different values unless they are given. */
export async function check(...given: Parameters<typeof append>): Promise<void> {
  await append(...given);
}

/** Every appended row is stored as its element type must, and all other bytes are as before. Returns what was lost. */
function expectAppended(appended: Append, layout: RowsLayout, before: Bytes, after: Bytes): number[] {
  const expected = before.slice();
  const wrong: string[] = [];
  const lost = [0, 0, 0];
  let written = 0;
  appendKv(appended, (slot, row) => {
    written++;
    lostOf(layout.type, row).forEach((count, i) => (lost[i]! += count));
    const { elements, scales } = placeOf(layout, slot);
    const [bytes, halves] = [elements, scales].map(({ begin, end }) => after.slice(begin, end));
    wrong.push(...FAULTS[layout.type](row, bytes!, halves!).map((fault) => `slot ${slot}: ${fault}`));
    expected.set(bytes!, elements.begin);
    expected.set(halves!, scales.begin);
  });
  expect(wrong).toEqual([]);
  expect(written).toBeGreaterThan(0);
  expect(after).toEqual(expected);
  return lost;
}

type Faults = (row: readonly number[], bytes: Bytes, halves: Bytes) => string[];

export const u16s = (bytes: Bytes) => Array.from(new Uint16Array(bytes.slice().buffer));

/** Elements that are not stored as they must be. */
function faults(row: readonly number[], got: readonly number[], wanted: (x: number, d: number) => number) {
  return row.flatMap((x, d) =>
    Object.is(got[d]! + 0, wanted(x, d) + 0) ? [] : [`[${d}] ${x} gives ${got[d]}, not ${wanted(x, d)}`],
  );
}

/** Elements and scales of a row whose blocks have these scales. */
function blockFaults(
  type: 'int8' | 'int4',
  row: readonly number[],
  bytes: Bytes,
  scales: Bytes,
  wanted: readonly number[],
): string[] {
  const unused = u16s(scales).slice(wanted.length);
  return [
    ...faults(wanted, u16s(scales), (bits) => bits).map((fault) => `scale ${fault}`),
    ...unused.filter((bits) => bits !== 0).map((bits) => `an unused scale is ${bits}`),
    ...faults(row, stepsOf(type, bytes, row.length), (x, d) =>
      nearestStep(x, wanted[type === 'int8' ? 0 : Math.floor(d / 32)]!),
    ),
  ];
}

const u32s = (bytes: Bytes) => Array.from(new Uint32Array(bytes.slice().buffer));

const FAULTS: Readonly<Record<KvType, Faults>> = {
  f32: (row, bytes) => faults(u32s(new Uint8Array(Float32Array.from(row).buffer)), u32s(bytes), (x) => x),
  f16: (row, bytes) => faults(row, u16s(bytes), nearestHalf),
  bf16: (row, bytes) => faults(row, u16s(bytes), nearestBfloat),
  int8: (row, bytes, scales) => blockFaults('int8', row, bytes, scales, [int8Scale(row)]),
  int4: (row, bytes, scales) => blockFaults('int4', row, bytes, scales, blocksOf(row).map(int4Scale)),
};

/** The same type for K and V. */
export const pair = (type: KvType) => [type, type] as const;

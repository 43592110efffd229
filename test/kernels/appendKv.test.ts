// appendKv.test.ts: append_kv against its twin: what is written, how it is rounded, and that nothing else changes.
import { describe, expect, test } from 'vitest';
import { normals } from '../../bench/random.ts';
import { appendGrid, appendKv as appendKvKernel } from '../../src/kernels/appendKv.ts';
import { KV_TYPES, scalesStart, type KvType, type RowsLayout } from '../../src/kernels/elements.ts';
import { encodeRows } from '../../src/kernels/storedRows.ts';
import { type Append, appendKv } from '../reference/appendKv.ts';
import {
  allowedHalves,
  allowedSteps,
  halfValue,
  int4Scale,
  int8Scale,
  nearestBfloat,
  placeOf,
  stepsOf,
} from '../reference/storedRows.ts';
import { testDevice } from '../support/device.ts';
import { runKernel } from '../support/runKernel.ts';

const device = await testDevice();

type Sizes = Omit<Append, 'rows'>;
type Bytes = Uint8Array<ArrayBuffer>;

const CONTROL: Sizes = { kvLens: [0, 3, 7], numKvHeads: 2, numTokens: 1, capacity: 9, headDim: 64 };

function layoutOf({ kvLens, numKvHeads, capacity, headDim }: Sizes, type: KvType): RowsLayout {
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

/** Appends to a cache that holds rows already; K and V get different values unless they are given. */
async function check(
  sizes: Sizes,
  [kType, vType]: readonly [KvType, KvType],
  values?: Float32Array<ArrayBuffer>,
): Promise<void> {
  const { kvLens, numKvHeads, numTokens, capacity, headDim } = sizes;
  const [kLayout, vLayout] = [layoutOf(sizes, kType), layoutOf(sizes, vType)];
  const count = kLayout.heads * numTokens * headDim;
  const k = values ?? normals(1, count);
  const v = values ?? normals(2, count);
  const before = { k: initial(kLayout, 3), v: initial(vLayout, 4) };
  const { k_cache, v_cache } = await runKernel(device, {
    kernel: appendKvKernel(headDim, { kType, vType }),
    grid: appendGrid(kvLens.length, numKvHeads, numTokens),
    inputs: { k, v },
    outputs: { k_cache: before.k, v_cache: before.v },
    step: Uint32Array.of(numTokens, capacity, 4 * scalesStart(kLayout), 4 * scalesStart(vLayout), ...kvLens),
  });
  expectAppended({ ...sizes, rows: k }, kLayout, before.k, k_cache as Bytes);
  expectAppended({ ...sizes, rows: v }, vLayout, before.v, v_cache as Bytes);
}

/** Every appended row is one that its element type allows, and all other bytes are as before. */
function expectAppended(append: Append, layout: RowsLayout, before: Bytes, after: Bytes): void {
  const expected = before.slice();
  const wrong: string[] = [];
  let written = 0;
  appendKv(append, (slot, row) => {
    written++;
    const { elements, scales } = placeOf(layout, slot);
    const [bytes, halves] = [elements, scales].map(({ begin, end }) => after.slice(begin, end));
    wrong.push(...FAULTS[layout.type](row, bytes!, halves!).map((fault) => `slot ${slot}: ${fault}`));
    expected.set(bytes!, elements.begin);
    expected.set(halves!, scales.begin);
  });
  expect(wrong).toEqual([]);
  expect(written).toBeGreaterThan(0);
  expect(after).toEqual(expected);
}

type Faults = (row: readonly number[], bytes: Bytes, halves: Bytes) => string[];

const u16s = (bytes: Bytes) => Array.from(new Uint16Array(bytes.slice().buffer));

/** Elements that are not as they must or may be stored. */
function faults(row: readonly number[], got: readonly number[], allowed: (x: number, d: number) => number[]) {
  return row.flatMap((x, d) =>
    allowed(x, d).includes(got[d]!) ? [] : [`[${d}] ${x} gives ${got[d]}, not ${allowed(x, d).join(' or ')}`],
  );
}

/** How far from the middle between two steps f32 arithmetic may still round to the other one. */
const SLACK = 1e-5;

function steps(
  type: 'int8' | 'int4',
  row: readonly number[],
  bytes: Bytes,
  halves: readonly number[],
): string[] {
  const [least, most] = type === 'int8' ? [-127, 127] : [-8, 7];
  const scaleOf = (d: number) => halfValue(halves[type === 'int8' ? 0 : Math.floor(d / 32)]!);
  return faults(row, stepsOf(type, bytes, row.length), (x, d) =>
    allowedSteps(x, scaleOf(d), least, most, SLACK),
  );
}

/** A scale may be either half beside its value, which itself is a few units in the last place off. */
function scaleFaults(values: readonly number[], halves: readonly number[]): string[] {
  return faults(values, halves, (x) => [1 - 1e-6, 1, 1 + 1e-6].flatMap((near) => allowedHalves(x * near)));
}

const blocksOf = (row: readonly number[]) =>
  Array.from({ length: Math.ceil(row.length / 32) }, (_, i) => row.slice(32 * i, 32 * i + 32));

const FAULTS: Readonly<Record<KvType, Faults>> = {
  f32: (row, bytes) => faults(row, Array.from(new Float32Array(bytes.slice().buffer)), (x) => [x]),
  f16: (row, bytes) => faults(row, u16s(bytes), allowedHalves),
  bf16: (row, bytes) => faults(row, u16s(bytes), (x) => [nearestBfloat(x)]),
  int8: (row, bytes, scales) => [
    ...scaleFaults([int8Scale(row)], u16s(scales)),
    ...steps('int8', row, bytes, u16s(scales)),
  ],
  int4: (row, bytes, scales) => {
    const wanted = blocksOf(row).map(int4Scale);
    const unused = u16s(scales).slice(wanted.length);
    return [
      ...scaleFaults(wanted, u16s(scales)),
      ...unused.filter((half) => half !== 0).map((half) => `an unused scale is ${half}`),
      ...steps('int4', row, bytes, u16s(scales)),
    ];
  },
};

const pair = (type: KvType) => [type, type] as const;

describe.each(KV_TYPES)('append_kv to %s', (type) => {
  test.each([1, 2, 3, 4, 5])('%i tokens to ragged lengths, even and odd', (numTokens) =>
    check({ ...CONTROL, kvLens: [0, 1, 2, 3, 4], numTokens, capacity: 9 }, pair(type)),
  );
  test('the last of several tokens into the last slot, of an odd and of an even capacity', async () => {
    await check({ ...CONTROL, kvLens: [4, 0, 2], numTokens: 5 }, pair(type));
    await check({ ...CONTROL, kvLens: [3, 0, 2], numTokens: 5, capacity: 8 }, pair(type));
  });
  test('a whole cache at once', async () => {
    await check({ ...CONTROL, kvLens: [0], numTokens: 9 }, pair(type));
    await check({ ...CONTROL, kvLens: [0], numTokens: 8, capacity: 8 }, pair(type));
  });
  test('slots past the capacity are dropped, and no other head is touched', async () => {
    await check({ ...CONTROL, kvLens: [7, 9, 8], numTokens: 4 }, pair(type));
    await check({ ...CONTROL, kvLens: [7, 8, 6], numTokens: 4, capacity: 8 }, pair(type));
  });
  test('many KV heads', () => check({ ...CONTROL, numKvHeads: 7 }, pair(type)));
  test('rows of very different magnitude', () => {
    const values = normals(5, 3 * 2 * 4 * 64).map((x, i) => x * 10 ** ((Math.floor(i / 64) % 7) - 3));
    return check({ ...CONTROL, numTokens: 4, kvLens: [1, 2, 5] }, pair(type), values);
  });
});

describe('append_kv of other head dims', () => {
  test.each([
    ['f32', 80],
    ['f16', 96],
    ['bf16', 112],
    ['int8', 80],
    ['int8', 192],
    ['int4', 80], // the last word of a row is half empty at 80 and 112
    ['int4', 112],
    ['int4', 96],
    ['int4', 256],
  ] as const)('%s, %i', (type, headDim) =>
    check({ ...CONTROL, headDim, numTokens: 3, capacity: 11 }, pair(type)),
  );
});

describe('append_kv to K and V of different types', () => {
  test.each(KV_TYPES.map((kType, i) => [kType, KV_TYPES[(i + 1) % KV_TYPES.length]!] as const))(
    'K %s, V %s',
    (...types) => check({ ...CONTROL, numTokens: 2 }, types),
  );
  test.each([
    ['int8', 'f32'],
    ['f16', 'int4'],
  ] as const)('K %s, V %s', (...types) => check({ ...CONTROL, numTokens: 3 }, types));
});

// Every workgroup of one head has neighbours of the next that write next to it at the same time.
describe('append_kv of many heads at once', () => {
  test.each([
    ['int8', 2, 2],
    ['int4', 3, 3],
  ] as const)('%s, capacity %i, %i tokens', async (type, capacity, numTokens) => {
    const sizes = {
      ...CONTROL,
      kvLens: Array.from({ length: 16 }, () => 0),
      numKvHeads: 64,
      capacity,
      numTokens,
    };
    for (let time = 0; time < 3; time++) await check(sizes, pair(type));
  });
});

describe('append_kv at the ends of a type', () => {
  const sizes = { kvLens: [0], numKvHeads: 1, numTokens: 4, capacity: 4, headDim: 64 };

  test('f32 comes back bit for bit, extremes too', () => {
    const values = normals(3, 256);
    values.set([3.4028234663852886e38, -3.4028234663852886e38, 2 ** -126, 1e-30, -65520, 16777217]);
    return check(sizes, pair('f32'), values);
  });

  test('f16: exact halves stay as they are, values between become a neighbour', () => {
    const values = normals(4, 256).map((x, i) => x * 2 ** ((i % 30) - 15));
    for (let i = 0; i < 128; i++) values[i] = halfValue(0x0400 + 241 * i) * (i % 2 ? -1 : 1);
    return check(sizes, pair('f16'), values);
  });

  test('f16: too large values saturate to the largest finite half', async () => {
    const values = new Float32Array(256).map((_, i) => (i % 2 ? -1 : 1) * (65504 + i ** 2));
    values.set([65504, 65505, 65519.99, 65520, 65536, 1e6, 3.4028234663852886e38, -3.4028234663852886e38]);
    await check(sizes, pair('f16'), values);
    expect([65505, 65520, 3.4e38].map((x) => allowedHalves(x))).toEqual([[0x7bff], [0x7bff], [0x7bff]]);
    expect(allowedHalves(-1e6)).toEqual([0xfbff]);
  });

  test('f16: subnormal halves are exact or flushed to zero', async () => {
    const values = new Float32Array(256).map((_, i) => (i % 2 ? -1 : 1) * i * 2 ** -24);
    values.set([2 ** -14, 2 ** -24, 2 ** -25, 1e-20, 0, -0, 1023 * 2 ** -24, 1023.5 * 2 ** -24]);
    await check(sizes, pair('f16'), values);
    expect(allowedHalves(3 * 2 ** -24)).toEqual([3, 0, 0x8000]);
  });

  test('bf16: ties go to even, too large values saturate, signs stay', async () => {
    const values = normals(4, 256).map((x, i) => x * 2 ** (i - 128));
    values.set([257, 259, 261, -257, -259, 1.00390625, 1.01171875, 3.4028234663852886e38]);
    values.set([-3.4028234663852886e38, 3.39e38, 3.3961e38, 0, -0, 0.1, -0.1, 2 ** -126], 8);
    await check(sizes, pair('bf16'), values);
    expect([257, 259, 3.4e38].map(nearestBfloat)).toEqual([0x4380, 0x4382, 0x7f7f]);
  });

  // A tie is a tie only as long as the scale is a power of two, which the first element of a row sees to.
  test.each(['int8', 'int4'] as const)('%s: halves of steps, and all ends of the range', (type) => {
    const values = new Float32Array(256).map((_, i) =>
      type === 'int8' ? (i % 253) / 2 - 63 : (i % 15) / 2 - 3.5,
    );
    for (let at = 0; at < 256; at += 32) values[at] = (type === 'int8' ? 127 : -8) * (at % 64 ? 0.5 : 1);
    return check(sizes, pair(type), values);
  });

  test.each(['int8', 'int4'] as const)('%s: zeros, and rows too small for a scale', (type) => {
    const values = new Float32Array(256);
    for (let d = 0; d < 64; d++) values.set([d * 1e-12, (d - 32) * 1e-7, d === 40 ? 1 : 0], 64 + 3 * d);
    return check(sizes, pair(type), values);
  });

  test.each(['int8', 'int4'] as const)('%s: a scale saturates at the largest half', (type) => {
    const values = normals(6, 256).map((x) => x * 1e7);
    values[7] = 3e38;
    values[70] = -1e30;
    return check(sizes, pair(type), values);
  });

  test('int4: of two elements of the same magnitude the first decides the sign', () => {
    const values = new Float32Array(256).map((_, i) => [1, -3, 3, 2, -1, 3, -3][i % 7]!);
    return check(sizes, pair('int4'), values);
  });
});

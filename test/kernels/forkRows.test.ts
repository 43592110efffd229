// forkRows.test.ts: fork_rows against its twin: every stored byte, and that nothing else changes.
import { describe, expect, test } from 'vitest';
import { FORK_STEP_WORDS, forkRows as forkRowsKernel, setForked } from '../../src/kernels/forkRows.ts';
import {
  KV_TYPES,
  storedBytes,
  type FirstRow,
  type KvType,
  type RowsLayout,
} from '../../src/numbers/elements.ts';
import { uniform } from '../../src/numbers/random.ts';
import { forkRows } from '../reference/forkRows.ts';
import { placeOf } from '../reference/storedRows.ts';
import { testDevice } from '../support/device.ts';
import { runKernel } from '../support/runKernel.ts';

const HEADS = 3;
const BATCH = 4;

function bytes(seed: number, count: number): Uint8Array<ArrayBuffer> {
  const next = uniform(seed);
  return Uint8Array.from({ length: count }, () => 256 * next());
}

const first = (sequence: number, slot = 0): FirstRow => ({ sequence, slot });

interface Sizes {
  readonly from: FirstRow;
  readonly to: FirstRow;
  readonly kvLen: number;
  readonly capacity?: number;
  readonly headDim?: number;
}

async function check([kType, vType]: readonly [KvType, KvType], sizes: Sizes): Promise<void> {
  const { capacity = 7, headDim = 80 } = sizes;
  const layoutOf = (type: KvType): RowsLayout => ({ type, headDim, heads: BATCH * HEADS, capacity });
  const layout = { numKvHeads: HEADS, k: layoutOf(kType), v: layoutOf(vType) };
  const before = { k: bytes(1, storedBytes(layout.k)), v: bytes(2, storedBytes(layout.v)) };
  const step = new Uint32Array(FORK_STEP_WORDS);
  const grid = setForked(step, layout, sizes);
  const { k_cache, v_cache, status } = await runKernel(await testDevice(), {
    kernel: forkRowsKernel(),
    grid,
    inputs: {},
    outputs: { k_cache: before.k, v_cache: before.v, status: Uint32Array.of(4, 1, 2, 3, 4, 5, 6) },
    step,
  });
  expect([...status!]).toEqual([5, 1, 2, 3, 4, 5, 6]);
  expectForked(layout.k, sizes, before.k, k_cache as Uint8Array);
  expectForked(layout.v, sizes, before.v, v_cache as Uint8Array);
}

/** All bytes are the twin's, but for the scale of int8 that shares its 32 bits with the last one: its slot holds no token. */
function expectForked(
  layout: RowsLayout,
  sizes: Sizes,
  before: Uint8Array<ArrayBuffer>,
  after: Uint8Array,
): void {
  const expected = forkRows(layout, HEADS, sizes, before);
  if (layout.type === 'int8' && sizes.kvLen % 2 === 1) {
    for (let hk = 0; hk < HEADS; hk++) {
      const last = placeOf(
        layout,
        (sizes.to.sequence * HEADS + hk) * layout.capacity + sizes.kvLen - 1,
      ).scales;
      expected.set(after.subarray(last.end, last.end + 2), last.end);
    }
  }
  expect(after).toEqual(expected);
}

describe.each(KV_TYPES)('fork_rows of %s', (type) => {
  test.each([
    { from: first(0), to: first(1), kvLen: 1 },
    { from: first(3), to: first(0), kvLen: 4 },
    { from: first(1), to: first(3), kvLen: 7 },
    { from: first(2), to: first(1), kvLen: 5, capacity: 6, headDim: 64 },
    { from: first(0, 8), to: first(0, 24), kvLen: 8, capacity: 32 }, // pages
  ])('%o', (sizes) => check([type, type], sizes));
});

test('fork_rows of K and V of different types', () =>
  check(['int8', 'f32'], { from: first(1), to: first(2), kvLen: 3 }));

test('fork_rows of more words than a round of all workgroups copies', () =>
  check(['f32', 'int4'], { from: first(0), to: first(2), kvLen: 300, capacity: 301, headDim: 128 }));

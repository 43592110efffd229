// planProperties.test.ts: what holds for every plan, over random shapes, lengths and devices.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  cacheLayout,
  checkShape,
  HEAD_DIMS,
  KV_TYPES,
  planContext,
  planDecode,
  type DecodePlan,
  type DeviceFacts,
  type PlanContext,
} from '../../src/index.ts';
import { GPU_FACTS, SOFTWARE_FACTS } from '../support/deviceFacts.ts';

const facts: fc.Arbitrary<DeviceFacts> = fc
  .record({
    base: fc.constantFrom(GPU_FACTS, SOFTWARE_FACTS),
    subgroups: fc.boolean(),
    maxBindingBytes: fc.constantFrom(2 ** 20, 2 ** 27, 2 ** 30),
  })
  .map(({ base, ...rest }) => ({ ...base, ...rest, maxBufferBytes: 2 * rest.maxBindingBytes }));

interface Case {
  readonly context: PlanContext;
  readonly facts: DeviceFacts;
  readonly kvLens: readonly number[];
}

/** A decoder's context and lengths that fit its capacity. */
const cases: fc.Arbitrary<Case> = fc
  .record({
    batch: fc.integer({ min: 1, max: 5 }),
    numKvHeads: fc.integer({ min: 1, max: 9 }),
    groupSize: fc.integer({ min: 1, max: 40 }),
    headDim: fc.constantFrom(...HEAD_DIMS),
    qLen: fc.integer({ min: 1, max: 8 }),
    causal: fc.boolean(),
    capacity: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 9000 })),
    kType: fc.constantFrom(...KV_TYPES),
    facts,
  })
  .chain(({ groupSize, facts: device, ...options }) => {
    const shape = checkShape({ ...options, numQHeads: options.numKvHeads * groupSize });
    const context = planContext(shape, cacheLayout(options), device);
    const { batch, capacity } = options;
    return fc
      .array(fc.integer({ min: 0, max: capacity }), { minLength: batch, maxLength: batch })
      .map((kvLens) => ({ context, facts: device, kvLens }));
  });

const options = fc.oneof(
  fc.constant({}),
  fc.constant({ deterministic: true }),
  fc.record({ share: fc.double({ min: 0, max: 1, noNaN: true }) }),
);

/** Plans with the given options; `share` stands for a number of splits out of those allowed. */
function plan({ context, kvLens }: Case, how: { deterministic?: boolean; share?: number }): DecodePlan {
  const { share, ...rest } = how;
  const numSplits = share === undefined ? {} : { numSplits: 1 + Math.floor(share * (context.maxSplits - 1)) };
  // Refused, and rightly: the fixed length needs more splits than there is scratch memory for.
  fc.pre(!how.deterministic || Math.ceil(Math.max(...kvLens) / fixedSplitLen(context)) <= context.maxSplits);
  return planDecode(context, kvLens, { ...rest, ...numSplits });
}

/** The deterministic split length by its rule: 256 keys, or a 64th of the capacity, in whole tiles. */
function fixedSplitLen({ layout, variant: { tile } }: PlanContext): number {
  return Math.ceil(Math.max(256, Math.ceil(layout.capacity / 64)) / tile) * tile;
}

/** How many splits cover each key, by the rule in decode_split.wgsl's header and the words that it reads. */
function coverage(words: Uint32Array, b: number): number[] {
  const [numSplits, splitLen, , , ...kvLens] = words;
  const covered = Array.from({ length: kvLens[b]! }, () => 0);
  for (let s = 0; s < numSplits!; s++) {
    const begin = Math.min(s * splitLen!, kvLens[b]!);
    const end = Math.min(begin + splitLen!, kvLens[b]!);
    for (let t = begin; t < end; t++) covered[t]!++;
  }
  return covered;
}

const holds = (property: (given: Case, made: DecodePlan) => void) => {
  fc.assert(
    fc.property(cases, options, (given, how) => property(given, plan(given, how))),
    { seed: 20250611, numRuns: 300 },
  );
};

test('every key of every sequence is covered exactly once', () => {
  holds((given, { stepWords }) => {
    given.kvLens.forEach((_, b) => {
      const counts = coverage(stepWords, b);
      expect(counts.every((count) => count === 1)).toBe(true);
      expect(counts.length).toBe(given.kvLens[b]);
    });
  });
});

test('splits are multiples of a tile, at most as many as there is scratch memory for, none of them all empty', () => {
  holds(({ context, facts: device, kvLens }, { numSplits, splitLen }) => {
    expect(splitLen % context.variant.tile).toBe(0);
    expect(numSplits).toBeGreaterThanOrEqual(1);
    expect(numSplits).toBeLessThanOrEqual(context.maxSplits);
    if (numSplits > 1) expect((numSplits - 1) * splitLen).toBeLessThan(Math.max(...kvLens));
    const { rows, headDim } = context.shape;
    if (context.maxSplits > 1) {
      expect(rows * context.maxSplits * headDim * 4).toBeLessThanOrEqual(device.maxBindingBytes);
    }
  });
});

test('the grid covers splits, rows and sequences within a dispatch’s limits', () => {
  holds(({ context, facts: device }, { grid, numSplits }) => {
    const { shape, variant } = context;
    expect(grid[0]).toBe(numSplits);
    expect(grid[2]).toBe(shape.batch);
    expect(grid[1] % shape.numKvHeads).toBe(0);
    const rowsCovered = (grid[1] / shape.numKvHeads) * variant.rowBlock;
    expect(rowsCovered).toBeGreaterThanOrEqual(shape.rowsPerKvHead);
    expect(rowsCovered - variant.rowBlock).toBeLessThan(shape.rowsPerKvHead);
    expect(Math.max(...grid)).toBeLessThanOrEqual(device.maxGrid);
    expect(variant.wgSize).toBeLessThanOrEqual(device.maxInvocations);
  });
});

test('workgroups that have keys fit the slots where a longer split can make them, and splits are no longer than that', () => {
  fc.assert(
    fc.property(cases, (given) => {
      const { context, kvLens } = given;
      const { splitLen, grid } = plan(given, {});
      const { tile } = context.variant;
      const busy = (length: number) =>
        kvLens.reduce((sum, kvLen) => sum + Math.ceil(kvLen / length), 0) * grid[1];
      const longest = Math.max(1, ...kvLens);
      if (splitLen < longest) expect(busy(splitLen)).toBeLessThanOrEqual(context.slots);
      // One tile less is either too small to be worth a split, too many splits, or too many workgroups.
      const shorter = splitLen - tile;
      const tooMany =
        shorter < 128 || Math.ceil(longest / shorter) > context.maxSplits || busy(shorter) > context.slots;
      expect(tooMany).toBe(true);
    }),
    { seed: 20250611, numRuns: 500 },
  );
});

test('a deterministic split length depends on nothing but the context', () => {
  fc.assert(
    fc.property(cases, (given) => {
      const full = { ...given, kvLens: given.kvLens.map(() => given.context.layout.capacity) };
      const { splitLen } = plan(full, { deterministic: true });
      expect(plan(given, { deterministic: true }).splitLen).toBe(splitLen);
    }),
    { seed: 20250611, numRuns: 300 },
  );
});

test('bytes are those of the tensors', () => {
  holds(({ context, kvLens }, { bytes, numSplits }) => {
    const { shape, layout } = context;
    const tokens = kvLens.reduce((sum, kvLen) => sum + kvLen, 0);
    const size = { f32: 4, f16: 2 };
    const perToken = layout.numKvHeads * layout.headDim * (size[layout.kType] + size[layout.vType]);
    const tensor = shape.batch * shape.numQHeads * shape.qLen * shape.headDim * 4;
    const sums = shape.batch * shape.numQHeads * shape.qLen * 4;
    const states = 2 * numSplits * (tensor + 2 * sums);
    expect(bytes).toEqual({
      kv: tokens * perToken,
      q: tensor,
      out: tensor + sums,
      partial: numSplits > 1 ? states : 0,
    });
  });
});

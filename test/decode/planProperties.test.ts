// planProperties.test.ts: what holds for every plan, over random shapes, lengths and devices.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  cacheLayout,
  checkShape,
  type DecodePlan,
  type DeviceFacts,
  KV_TYPES,
  type KvType,
  type PlanContext,
} from '../../src/index.ts';
import { planDecode } from '../../src/decode/plan.ts';
import { partialBytes, planContext } from '../../src/decode/planContext.ts';
import type { TunedEntry } from '../../src/decode/tuning.ts';
import { stepWordCount } from '../../src/kernels/stepNumbers.ts';
import { rowsPerWorkgroup } from '../../src/kernels/fused.ts';
import { GPU_FACTS, SOFTWARE_FACTS, SUBGROUP_SIZES, withSubgroups } from '../support/deviceFacts.ts';
import { HEAD_DIMS, RARE_HEAD_DIMS } from '../support/shapes.ts';

const SEED = 20250611;

const facts: fc.Arbitrary<DeviceFacts> = fc
  .record({
    base: fc.constantFrom(GPU_FACTS, SOFTWARE_FACTS),
    size: fc.constantFrom(...SUBGROUP_SIZES),
    subgroups: fc.boolean(),
    vendor: fc.constantFrom('nvidia', 'apple', 'intel', 'arm', ''),
    maxBindingBytes: fc.constantFrom(2 ** 20, 2 ** 27, 2 ** 30),
  })
  .map(({ base, size, maxBindingBytes, ...rest }) => {
    return { ...withSubgroups(base, size), ...rest, maxBindingBytes, maxBufferBytes: 2 * maxBindingBytes };
  });

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
    headDim: fc.constantFrom(...HEAD_DIMS, ...RARE_HEAD_DIMS),
    vHeadDim: fc.constantFrom(...HEAD_DIMS, ...RARE_HEAD_DIMS),
    qLen: fc.integer({ min: 1, max: 8 }),
    causal: fc.boolean(),
    capacity: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 9000 })),
    kType: fc.constantFrom(...KV_TYPES),
    vType: fc.constantFrom(...KV_TYPES),
    facts,
  })
  .chain(({ groupSize, facts: device, ...options }) => {
    const { qLen, causal, ...cache } = options;
    const { batch, numKvHeads, headDim, vHeadDim } = cache;
    const numQHeads = numKvHeads * groupSize;
    const shape = checkShape({ batch, numQHeads, numKvHeads, headDim, vHeadDim, qLen, causal });
    const context = planContext(shape, cacheLayout(cache), device, { fixedSplits: true });
    return lengths(context).map((kvLens) => ({ context, facts: device, kvLens }));
  });

function lengths({ layout: { batch, capacity } }: PlanContext): fc.Arbitrary<number[]> {
  return fc.array(fc.integer({ min: 0, max: capacity }), { minLength: batch, maxLength: batch });
}

interface How {
  readonly deterministic?: boolean;
  /** Stands for a number of splits out of those allowed. */
  readonly share?: number;
}

const options: fc.Arbitrary<How> = fc.oneof(
  fc.constant({}),
  fc.constant({ deterministic: true }),
  fc.record({ share: fc.double({ min: 0, max: 1, noNaN: true }) }),
);

/** Plans, unless what is asked for needs more splits or states than there is scratch memory for: rightly refused. */
function plan({ context, kvLens }: Pick<Case, 'context' | 'kvLens'>, { share, ...rest }: How): DecodePlan {
  const asked = share === undefined ? {} : { numSplits: 1 + Math.floor(share * (context.maxSplits - 1)) };
  if (rest.deterministic || asked.numSplits !== undefined) {
    const splitLen = rest.deterministic
      ? fixedSplitLen(context)
      : Math.ceil(Math.max(1, ...kvLens) / asked.numSplits! / 32) * 32;
    const splits = kvLens.map((kvLen) => Math.ceil(kvLen / splitLen));
    const partials = splits.reduce((sum, count) => sum + (count > 1 ? count : 0), 0);
    fc.pre(Math.max(...splits) <= context.maxSplits && partials <= context.maxPartials);
  }
  return planDecode(context, kvLens, { ...rest, ...asked });
}

/** The deterministic split length by its rule: 256 keys, or a 64th of the capacity, in whole grains of 32. */
function fixedSplitLen({ layout }: PlanContext): number {
  return Math.ceil(Math.max(256, Math.ceil(layout.capacity / 64)) / 32) * 32;
}

interface ReadPlan {
  readonly sequences: readonly { readonly kvLen: number; readonly first: number; readonly count: number }[];
  readonly items: readonly { b: number; begin: number; end: number; state: number | undefined }[];
}

/** What the shaders read of a plan, by shaders/lib/step.wgsl. */
function read({ parts, shape: { batch }, items: count }: DecodePlan): ReadPlan {
  const words = parts[0]!.stepWords;
  expect(words).toHaveLength(20 + 4 * (2 * batch + count));
  const entry = (i: number) =>
    [...words.subarray(20 + 4 * i, 24 + 4 * i)] as [number, number, number, number];
  return {
    sequences: Array.from({ length: batch }, (_, b) => {
      const [kvLen, first, splits] = entry(2 * b);
      return { kvLen, first, count: splits };
    }),
    items: Array.from({ length: count }, (_, i) => {
      const [b, begin, end, state] = entry(2 * batch + i);
      return { b, begin, end, state: state === 0 ? undefined : state - 1 };
    }),
  };
}

const holds = (property: (given: Case, made: DecodePlan, how: How) => void) => {
  fc.assert(
    fc.property(cases, options, (given, how) => property(given, plan(given, how), how)),
    { seed: SEED, numRuns: 300 },
  );
};

describe('every plan', () => {
  test('covers every key of every sequence exactly once, in order', () => {
    holds(({ kvLens }, made) => {
      const { sequences, items } = read(made);
      expect(sequences.map(({ kvLen }) => kvLen)).toEqual(kvLens);
      let at = 0;
      kvLens.forEach((kvLen, b) => {
        let next = 0;
        do {
          const item = items[at++]!;
          expect([item.b, item.begin]).toEqual([b, next]);
          expect(item.end).toBeGreaterThanOrEqual(kvLen === 0 ? 0 : next + 1);
          next = item.end;
        } while (next < kvLen);
        expect(next).toBe(kvLen);
      });
      expect(at).toBe(items.length);
    });
  });

  test('splits a sequence evenly: every item but its last has the split length', () => {
    holds((_, made) => {
      for (const { b, begin, end } of read(made).items) {
        expect(begin % made.splitLen).toBe(0);
        expect(end).toBe(Math.min(begin + made.splitLen, made.kvLens[b]!));
      }
    });
  });

  test('numbers the partial states from 0 on without a gap; what is not split has none', () => {
    holds(({ context }, made) => {
      const { sequences, items } = read(made);
      const states = items.flatMap(({ state }) => (state === undefined ? [] : [state]));
      expect(states).toEqual(states.map((_, i) => i));
      expect(states.length).toBeLessThanOrEqual(context.maxPartials);
      expect(made.merges).toBe(states.length > 0);
      sequences.forEach(({ first, count }, b) => {
        const own = items.filter((item) => item.b === b);
        expect(own).toHaveLength(count);
        expect(own.map(({ state }) => state)).toEqual(count > 1 ? own.map((_, s) => first + s) : [undefined]);
      });
    });
  });

  test('has splits of whole grains, at most as many as allowed or asked for, and the longest sequence has them all', () => {
    holds(({ context, kvLens }, made, { share }) => {
      const { numSplits, splitLen } = made;
      expect(splitLen % 32).toBe(0);
      expect(numSplits).toBe(Math.max(...read(made).sequences.map(({ count }) => count)));
      expect(numSplits).toBeLessThanOrEqual(context.maxSplits);
      if (share !== undefined) {
        expect(numSplits).toBeLessThanOrEqual(1 + Math.floor(share * (context.maxSplits - 1)));
      }
      expect((numSplits - 1) * splitLen).toBeLessThan(Math.max(1, ...kvLens));
    });
  });

  test('fits its scratch memory, its ring slots and the limits of a dispatch', () => {
    holds(({ context, facts: device }, { grid, items, parts }) => {
      const { stepWords } = parts[0]!;
      const { shape, variant, maxPartials } = context;
      if (maxPartials > 1) {
        const rows = shape.numQHeads * shape.qLen;
        expect(maxPartials * rows * (shape.vHeadDim * 4 + 16)).toBeLessThanOrEqual(device.maxBindingBytes);
      }
      expect(stepWords.length).toBeLessThanOrEqual(stepWordCount(shape.batch, shape.batch + maxPartials));
      expect([grid[1], grid[2]]).toEqual([shape.numKvHeads, items]);
      const rowsCovered = grid[0] * rowsPerWorkgroup(variant);
      expect(rowsCovered).toBeGreaterThanOrEqual(shape.rowsPerKvHead);
      expect(rowsCovered - rowsPerWorkgroup(variant)).toBeLessThan(shape.rowsPerKvHead);
      expect(Math.max(...grid)).toBeLessThanOrEqual(device.maxGrid);
      expect(variant.wgSize).toBeLessThanOrEqual(device.maxInvocations);
    });
  });

  test('counts the bytes of the tensors', () => {
    holds(({ context, kvLens }, made) => {
      const { shape, layout } = context;
      const tokens = kvLens.reduce((sum, kvLen) => sum + kvLen, 0);
      const rowOf = (dim: number, type: KvType) => {
        const words = (bits: number) => Math.ceil((dim * bits) / 128);
        const int4 = words(4) * 16 + 4 * Math.ceil(words(4) / 2);
        return { f32: dim * 4, f16: dim * 2, bf16: dim * 2, int8: words(8) * 16 + 2, int4 }[type];
      };
      const { headDim, vHeadDim } = shape;
      const rows = shape.batch * shape.numQHeads * shape.qLen;
      const states = read(made).items.filter(({ state }) => state !== undefined).length;
      expect(made.bytes).toEqual({
        kv: tokens * layout.numKvHeads * (rowOf(headDim, layout.kType) + rowOf(vHeadDim, layout.vType)),
        q: rows * headDim * 4,
        out: rows * (vHeadDim * 4 + 4),
        partial: 2 * states * shape.numQHeads * shape.qLen * (vHeadDim * 4 + 16),
      });
    });
  });
});

describe('split lengths', () => {
  /** Workgroups that have keys. */
  const busy = ({ kvLens }: Case, { grid }: DecodePlan, splitLen: number) =>
    kvLens.reduce((sum, kvLen) => sum + Math.ceil(kvLen / splitLen), 0) * grid[0] * grid[1];

  const states = (kvLens: readonly number[], splitLen: number) =>
    kvLens.reduce((sum, kvLen) => sum + (kvLen > splitLen ? Math.ceil(kvLen / splitLen) : 0), 0);

  test('workgroups fit the slots unless nothing is split, and splits are no longer than that takes', () => {
    fc.assert(
      fc.property(cases, (given) => {
        const { context, kvLens } = given;
        const made = plan(given, {});
        const { splitLen } = made;
        const longest = Math.max(1, ...kvLens);
        if (longest <= context.wholeLen) {
          expect([splitLen, made.merges]).toEqual([context.wholeLen, false]);
          return;
        }
        if (made.merges) expect(busy(given, made, splitLen)).toBeLessThanOrEqual(context.slots);
        // One grain less is either too small to be worth a split, too many splits or states, or too many workgroups.
        const shorter = splitLen - 32;
        const tooMany =
          shorter < context.minSplitLen ||
          Math.ceil(longest / shorter) > context.maxSplits ||
          states(kvLens, shorter) > context.maxPartials ||
          busy(given, made, shorter) > context.slots;
        expect(tooMany).toBe(true);
      }),
      { seed: SEED, numRuns: 800 },
    );
  });

  test('none shorter than the least worth having, unless asked for', () => {
    fc.assert(
      fc.property(cases, fc.boolean(), (given, deterministic) => {
        const least = deterministic ? 256 : given.context.minSplitLen;
        expect(plan(given, { deterministic }).splitLen).toBeGreaterThanOrEqual(least);
      }),
      { seed: SEED, numRuns: 300 },
    );
    const asked = planDecode(
      planContext(
        checkShape({ numQHeads: 1, numKvHeads: 1, headDim: 64 }),
        cacheLayout({ numKvHeads: 1, headDim: 64, capacity: 320 }),
        GPU_FACTS,
        { fixedSplits: true },
      ),
      [320],
      { numSplits: 10 },
    );
    expect(asked.splitLen).toBe(32);
  });

  test('the same with scratch memory for plans of its own splits alone, and never more states than that', () => {
    fc.assert(
      fc.property(cases, ({ context, facts: device, kvLens }) => {
        const { shape, layout, maxPartials } = context;
        const small = planContext(shape, layout, device);
        const made = planDecode(small, kvLens);
        expect(made.parts).toEqual(planDecode(context, kvLens).parts);
        expect(small.maxPartials).toBeLessThanOrEqual(maxPartials);
        // Beyond one state, each workgroup that the device runs side by side has its own rows'.
        const { slots, variant } = small;
        const rowBytes = (shape.vHeadDim + 4) * 4;
        expect(partialBytes(shape, small.maxPartials)).toBeLessThanOrEqual(
          Math.max(shape.numQHeads * shape.qLen, slots * rowsPerWorkgroup(variant)) * rowBytes,
        );
        const { sequences } = read(made);
        const partials = sequences.reduce((sum, { count }) => sum + (count > 1 ? count : 0), 0);
        expect(partials).toBeLessThanOrEqual(small.maxPartials);
      }),
      { seed: SEED, numRuns: 1000 },
    );
  });

  test('monotone: where splitting is worth it, longer sequences never give shorter splits', () => {
    const grown = cases.chain((given) =>
      lengths(given.context).map((more) => {
        const { capacity } = given.context.layout;
        const longer = given.kvLens.map((kvLen, b) => Math.min(capacity, kvLen + Math.floor(more[b]! / 7)));
        return { given, longer };
      }),
    );
    fc.assert(
      fc.property(grown, ({ given, longer }) => {
        fc.pre(Math.max(...given.kvLens) > given.context.wholeLen);
        const { splitLen } = plan(given, {});
        expect(plan({ ...given, kvLens: longer }, {}).splitLen).toBeGreaterThanOrEqual(splitLen);
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  test('the same for as many slots, whatever the lanes, tokens, tiles and subgroups of a variant that serves as many rows', () => {
    fc.assert(
      fc.property(cases, options, (given, how) => {
        const { shape, layout } = given.context;
        const device = { ...GPU_FACTS, vendor: given.facts.vendor };
        const splitLens = [
          {
            template: 'registers',
            wgSize: 128,
            lanes: 16,
            tokens: 2,
            teamRows: 4,
            blocks: 1,
            q: 'registers',
            code: 'gpu',
          } as const,
          {
            template: 'registers',
            wgSize: 256,
            lanes: 2,
            tokens: 8,
            teamRows: 1,
            blocks: 4,
            q: 'registers',
            code: 'gpu',
          } as const,
          {
            template: 'registers',
            wgSize: 4,
            lanes: 4,
            tokens: 1,
            teamRows: 4,
            blocks: 1,
            q: 'registers',
            code: 'gpu',
          } as const,
          { template: 'tiles', wgSize: 64, tile: 64, rowBlock: 4, mixWords: 1 } as const,
          { template: 'tiles', wgSize: 20, tile: 100, rowBlock: 4, mixWords: 3 } as const,
        ].map((variant: TunedEntry['variant']) => {
          const tuned = { variant, slots: given.context.slots };
          const context = planContext(shape, layout, device, { tuned, fixedSplits: true });
          return plan({ ...given, context }, how).splitLen;
        });
        expect(new Set(splitLens).size).toBe(1);
      }),
      { seed: SEED, numRuns: 200 },
    );
  });

  test('deterministic: depends on nothing but the context', () => {
    fc.assert(
      fc.property(cases, (given) => {
        const full = { ...given, kvLens: given.kvLens.map(() => given.context.layout.capacity) };
        const { splitLen } = plan(full, { deterministic: true });
        expect(splitLen).toBe(fixedSplitLen(given.context));
        expect(plan(given, { deterministic: true }).splitLen).toBe(splitLen);
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  test('the plain kernel splits nothing', () => {
    fc.assert(
      fc.property(cases, (given) => {
        const context: PlanContext = { ...given.context, kernel: 'plain' };
        const made = plan({ ...given, context }, {});
        expect(made).toMatchObject({ numSplits: 1, items: given.kvLens.length, merges: false });
        expect(made.splitLen).toBe(Math.max(1, ...given.kvLens));
        expect(made.bytes.partial).toBe(0);
      }),
      { seed: SEED, numRuns: 100 },
    );
  });
});

// liveKeys.test.ts: which keys plans with windows and sink tokens read, against each row's own view, over random shapes and lengths.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cacheLayout, checkShape, LimitExceededError } from '../../src/index.ts';
import { liveKeys } from '../../src/decode/liveKeys.ts';
import { planDecode } from '../../src/decode/plan.ts';
import { partialBytes, planContext } from '../../src/decode/planContext.ts';
import { stepWordCount } from '../../src/kernels/stepNumbers.ts';
import { featuresShow } from '../../src/reference/problemFeatures.ts';
import { GPU_FACTS, SOFTWARE_FACTS } from '../support/deviceFacts.ts';

const CAPACITY = 700;

const cases = fc
  .record({
    batch: fc.integer({ min: 1, max: 4 }),
    qLen: fc.integer({ min: 1, max: 8 }),
    window: fc.option(fc.integer({ min: 1, max: 300 }), { nil: undefined }),
    sinkTokens: fc.integer({ min: 0, max: 100 }),
    facts: fc.constantFrom(GPU_FACTS, SOFTWARE_FACTS),
    fixedSplits: fc.boolean(),
  })
  .chain(({ batch, qLen, window, sinkTokens, facts, fixedSplits }) => {
    const features = window === undefined ? {} : { window, sinkTokens };
    const shape = checkShape({ batch, numQHeads: 8, numKvHeads: 2, headDim: 64, qLen, features });
    const layout = cacheLayout({ batch, numKvHeads: 2, headDim: 64, capacity: CAPACITY });
    const context = planContext(shape, layout, facts, { fixedSplits });
    const of = (max: number) => fc.array(fc.integer({ min: 0, max }), { minLength: batch, maxLength: batch });
    return fc.record({ context: fc.constant(context), kvLens: of(CAPACITY), qLens: of(qLen) });
  });

type Step = ReturnType<typeof planDecode>;

function itemsOf({ parts, shape: { batch }, items }: Step) {
  const { stepWords } = parts[0]!;
  return Array.from({ length: items }, (_, i) => {
    const [b, begin, end, state] = stepWords.subarray(20 + 4 * (2 * batch + i));
    return { b: b!, begin: begin!, end: end!, state: state! };
  });
}

describe('plans with windows and sink tokens', () => {
  test('read what any row sees, each key once', () => {
    fc.assert(
      fc.property(cases, ({ context, kvLens, qLens }) => {
        const made = planDecode(context, kvLens, { qLens });
        const { window, sinkTokens } = context.shape.features;
        const features = window === undefined ? {} : { window, sinkTokens: sinkTokens ?? 0 };
        for (const [b, kvLen] of kvLens.entries()) {
          const read = itemsOf(made)
            .filter((item) => item.b === b)
            .flatMap(({ begin, end }) => Array.from({ length: end - begin }, (_, i) => begin + i));
          const rows = Array.from({ length: qLens[b]! }, (_, i) => ({
            b,
            h: 0,
            i,
            own: kvLen - qLens[b]! + i,
          }));
          const seen = Array.from({ length: kvLen }, (_, t) => t).filter((t) =>
            rows.some((row) => t <= row.own && featuresShow(features, row, t)),
          );
          expect(read.length).toBe(made.liveLens[b]);
          expect(new Set(read).size).toBe(read.length);
          // Keys between sink tokens and a window that has not left them yet are read, and seen by no one.
          const unseen = read.filter((t) => !seen.includes(t));
          expect(seen.filter((t) => !read.includes(t))).toEqual([]);
          if (liveKeys(context.shape, kvLen, qLens[b]!).length === 2) expect(unseen).toEqual([]);
        }
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  test('have room for their states and words, and states without a gap', () => {
    fc.assert(
      fc.property(cases, ({ context, kvLens, qLens }) => {
        const made = planDecode(context, kvLens, { qLens });
        const { batch } = context.shape;
        const states = itemsOf(made).flatMap(({ state }) => (state === 0 ? [] : [state - 1]));
        expect(states).toEqual(states.map((_, i) => i));
        expect(states.length).toBeLessThanOrEqual(context.maxPartials);
        expect(made.merges).toBe(states.length > 0);
        expect(made.parts[0]!.stepWords.length).toBeLessThanOrEqual(
          stepWordCount(batch, batch + context.maxPartials),
        );
      }),
      { seed: 2, numRuns: 300 },
    );
  });

  test('a batch whose states would exceed a binding is refused when the context is made', () => {
    const batch = 64;
    const features = { window: 8, sinkTokens: 1 };
    const shape = checkShape({ batch, numQHeads: 32, numKvHeads: 8, headDim: 128, features });
    const layout = cacheLayout({ batch, numKvHeads: 8, headDim: 128, capacity: 64 });
    const bytes = partialBytes(shape, 2 * batch);
    const facts = { ...GPU_FACTS, maxBindingBytes: bytes };
    expect(planContext(shape, layout, facts).maxPartials).toBeGreaterThanOrEqual(2 * batch);
    expect(() => planContext(shape, layout, { ...facts, maxBindingBytes: bytes - 1 })).toThrow(
      LimitExceededError,
    );
  });
});

test('each segment of a long sequence fills the device, for they are dispatched one after the other', () => {
  const shape = checkShape({ numQHeads: 8, numKvHeads: 2, headDim: 64 });
  const tokens = 2 ** 18;
  const options = { numKvHeads: 2, headDim: 64, capacity: tokens, pageSize: 256, kType: 'f16' } as const;
  const pages = Array.from({ length: tokens / 256 }, (_, page) => page);
  const workgroups = [1, 4].map((segments) => {
    const bytes = (tokens * 2 * 64 * 2) / segments;
    const layout = cacheLayout(options, { maxBindingBytes: bytes, maxBufferBytes: bytes });
    expect(layout.segments).toBe(segments);
    const context = planContext(shape, layout, GPU_FACTS);
    const { parts } = planDecode(context, [tokens], {}, { lists: [pages], versions: [0] });
    expect(parts).toHaveLength(segments);
    return Math.min(...parts.map(({ grid: [x, y, z] }) => x * y * z)) / context.slots;
  });
  // As many as fill it, in whole grains.
  for (const share of workgroups) expect(share).toBeGreaterThan(0.8);
  for (const share of workgroups) expect(share).toBeLessThanOrEqual(1);
});

test('a sequence that its window has left behind is two ranges, and one before', () => {
  const shape = checkShape({
    numQHeads: 1,
    numKvHeads: 1,
    headDim: 8,
    qLen: 2,
    features: { window: 4, sinkTokens: 3 },
  });
  const whole = (end: number) => [{ begin: 0, end }];
  expect(liveKeys(shape, 0, 2)).toEqual([]);
  expect(liveKeys(shape, 9, 0)).toEqual([]);
  expect(liveKeys(shape, 8, 2)).toEqual(whole(8));
  expect(liveKeys(shape, 9, 2)).toEqual([
    { begin: 0, end: 3 },
    { begin: 4, end: 9 },
  ]);
  expect(liveKeys(shape, 8, 1)).toEqual([
    { begin: 0, end: 3 },
    { begin: 4, end: 8 },
  ]);
});

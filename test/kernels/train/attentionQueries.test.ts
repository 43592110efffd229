// attentionQueries.test.ts: attention_queries against its twin, at the borders of blocks and tiles, with odd groups and random shapes.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  attentionQueries as queriesKernel,
  attentionQueriesGrid,
  type AttentionSizes,
} from '../../../src/kernels/train/attention.ts';
import { attentionQueries } from '../../reference/attentionQueries.ts';
import { expectSlopes, slopes } from '../../support/slopes.ts';
import {
  ANY_SIZES,
  exactly64,
  expectGradients,
  gradientsOf,
  KINDS,
  problemOf,
  roundedGradients,
  sizesOf,
} from '../../support/trainedAttention.ts';

type Kind = keyof typeof KINDS;

async function check(kind: Kind, sizes: AttentionSizes, seed?: number): Promise<void> {
  const facts = KINDS[kind];
  const problem = problemOf(sizes, seed);
  const got = await gradientsOf(queriesKernel(sizes, facts), attentionQueriesGrid(sizes, facts), problem);
  const { d_q: rounded } = roundedGradients(problem);
  const heads = sizes.numKvHeads * sizes.groupSize;
  expectGradients(got, sizes, [
    { name: 'dq', firstHead: 0, heads, truth: attentionQueries(problem), rounded },
  ]);
}

describe.each(['CPU', 'GPU'] as const)('dealt out as on a %s', (kind) => {
  test.each([1, 2, 3, 4, 5, 10, 11, 31, 32, 33])('%i tokens, groups of three', (length) =>
    check(kind, sizesOf({ headDim: 16, length, groupSize: 3, numKvHeads: 2 })),
  );

  test('several sequences, and heads that leave a rest', async () => {
    await check(kind, sizesOf({ headDim: 24, length: 21, groupSize: 3, numKvHeads: 2, batch: 2 }));
  });

  test('no slot to spare, and another scale', async () => {
    const scale = Math.fround(0.3);
    await check(kind, sizesOf({ headDim: 16, length: 9, groupSize: 3, capacity: 9, scale }));
  });
});

test.each([72, 128, 136, 256])('D %i as on a GPU, groups of one', (headDim) =>
  check('GPU', sizesOf({ headDim, length: 19, batch: 2, numKvHeads: 2 })),
);

test('any sizes', async () => {
  const property = fc.asyncProperty(
    fc.record(ANY_SIZES),
    fc.constantFrom<Kind>('CPU', 'GPU'),
    ({ seed, spare, eights, ...rest }, kind) => {
      const sizes = { ...rest, groupSize: 3, headDim: 8 * eights, capacity: rest.length + spare };
      return check(kind, sizesOf(sizes), seed);
    },
  );
  await fc.assert(property, { numRuns: 12, seed: 5, endOnFailure: true });
});

test('the twin gives the slopes of the forward pass', () => {
  const problem = exactly64(
    problemOf(sizesOf({ headDim: 8, length: 5, batch: 2, numKvHeads: 2, groupSize: 3 })),
  );
  const d_q = attentionQueries(problem);
  expectSlopes(d_q, slopes(problem, 'q', Array.from(d_q.keys())));
});

test('heads that there is no kernel for are refused', () => {
  const kernelOf = (headDim: number, groupSize: number) => () =>
    queriesKernel({ headDim, groupSize }, KINDS.GPU);
  expect(kernelOf(12, 1)).toThrow('attention_queries: headDim (12) must be a multiple of 8');
  expect(kernelOf(264, 1)).toThrow('attention_queries: headDim');
  expect(kernelOf(64, 1.5)).toThrow('attention_queries: groupSize');
});

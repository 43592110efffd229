// attentionKeys.test.ts: attention_keys against its twin, at the borders of blocks and tiles, with odd groups and random shapes.
import fc from 'fast-check';
import { describe, test } from 'vitest';
import {
  attentionKeys as keysKernel,
  attentionKeysGrid,
  type AttentionSizes,
} from '../../../src/kernels/train/attention.ts';
import { attentionKeys } from '../../reference/attentionKeys.ts';
import { expectSlopes, slopes, storedPlaces } from '../../support/slopes.ts';
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
  const got = await gradientsOf(keysKernel(sizes, facts), attentionKeysGrid(sizes, facts), problem);
  const { d_k, d_v } = roundedGradients(problem);
  const truth = attentionKeys(problem);
  const heads = sizes.numKvHeads;
  const first = heads * sizes.groupSize;
  expectGradients(got, sizes, [
    { name: 'dk', firstHead: first, heads, truth: truth.d_k, rounded: d_k },
    { name: 'dv', firstHead: first + heads, heads, truth: truth.d_v, rounded: d_v },
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
  const { d_k, d_v } = attentionKeys(problem);
  const stored = storedPlaces(problem);
  expectSlopes(d_k, slopes(problem, 'k', stored));
  expectSlopes(d_v, slopes(problem, 'v', stored));
});

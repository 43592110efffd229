// attentionDelta.test.ts: attention_delta against its twin; the forward pass of the twins against the reference.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  attentionDelta as deltaKernel,
  attentionDeltaGrid,
  attentionDeltaNumbers,
  attentionKeysGrid,
  attentionQueriesGrid,
  type AttentionSizes,
} from '../../../src/kernels/train/attention.ts';
import { attention } from '../../../src/reference/attention.ts';
import { attentionDelta } from '../../reference/attentionDelta.ts';
import { queryRows, trainedAttention } from '../../reference/trainedAttention.ts';
import { testDevice } from '../../support/device.ts';
import { exactly, sumOfProducts } from '../../support/rounding.ts';
import { runKernel, unwritten } from '../../support/runKernel.ts';
import { ANY_SIZES, KINDS, problemOf, sizesOf } from '../../support/trainedAttention.ts';

const device = await testDevice();

async function check(sizes: AttentionSizes, seed = 1): Promise<void> {
  const { o, d_o } = problemOf(sizes, seed);
  const rows = queryRows(sizes);
  const { delta } = await runKernel(device, {
    kernel: deltaKernel(),
    grid: attentionDeltaGrid(sizes),
    inputs: { o, d_o, numbers: attentionDeltaNumbers(sizes) },
    outputs: { delta: unwritten(rows.length) },
  });
  const truth = attentionDelta(sizes, o, d_o);
  const wrong = rows.flatMap(({ query, figure }) => {
    const row = Array.from(o.subarray(query, query + sizes.headDim), exactly);
    const { error } = sumOfProducts(row, (d) => exactly(d_o[query + d]!));
    const [want, got] = [truth[figure]!, delta![figure]!];
    return Math.abs(got - want) <= error ? [] : [`${figure}: expected ${want} within ${error}, got ${got}`];
  });
  expect(wrong.slice(0, 5)).toEqual([]);
}

test.each([1, 63, 64, 65])('%i rows of one head', (length) => check(sizesOf({ headDim: 8, length })));

test('any sizes', async () => {
  const shape = fc.record({ ...ANY_SIZES, groupSize: fc.integer({ min: 1, max: 7 }) });
  const property = fc.asyncProperty(shape, ({ seed, spare, eights, ...sizes }) =>
    check(sizesOf({ ...sizes, headDim: 8 * eights, capacity: sizes.length + spare }), seed),
  );
  await fc.assert(property, { numRuns: 15, seed: 4, endOnFailure: true });
});

test('the forward pass of the twins is that of the reference', () => {
  const sizes = sizesOf({ headDim: 8, length: 6, batch: 2, numKvHeads: 2, groupSize: 3 });
  const { q, k, v } = problemOf(sizes);
  const { batch, length, numKvHeads, headDim, capacity } = sizes;
  const numQHeads = 6;
  const places = queryRows(sizes);
  const turned = new Float32Array(q.length);
  for (const { query, figure } of places) turned.set(q.subarray(query, query + headDim), figure * headDim);
  const kvLens = Array.from({ length: batch }, () => length);
  const problem = { batch, numQHeads, numKvHeads, headDim, qLen: length, capacity, causal: true, kvLens };
  const want = attention({ ...problem, smScale: sizes.scale, q: turned, k, v });
  const { o, lse } = trainedAttention({ ...sizes, q, k, v });
  for (const { query, figure } of places) {
    expect(lse[figure]).toBeCloseTo(want.lse[figure]!, 12);
    for (let d = 0; d < headDim; d++) expect(o[query + d]).toBeCloseTo(want.o[figure * headDim + d]!, 12);
  }
});

test('grids are folded where a dimension has no room', () => {
  const sizes = sizesOf({ headDim: 8, length: 100_000, batch: 512, numKvHeads: 8, groupSize: 8 });
  for (const [x, y, z] of [
    attentionDeltaGrid(sizes),
    ...Object.values(KINDS).flatMap((facts) => [
      attentionQueriesGrid(sizes, facts),
      attentionKeysGrid(sizes, facts),
    ]),
  ]) {
    expect([x <= 65535, y > 1 && y <= 65535, z]).toEqual([true, true, 1]);
  }
});

// longContext.test.ts: a long context at a small size: right where it is, and wrong where the page of a needle is not read.
import { describe, expect, test } from 'vitest';
import {
  longProblem,
  needleOf,
  runLongContext,
  type LongContext,
} from '../../../bench/studies/longContext.ts';
import { attention } from '../../../src/reference/attention.ts';
import { expect64, verify } from '../../../src/reference/verify.ts';
import { testDevice } from '../../support/device.ts';

const SIZES: LongContext = { tokens: 9000, heads: 8, headDim: 64, pageSize: 256, cacheType: 'int8' };

describe('a long context', () => {
  test('is decoded rightly, from more pages than one append fills', async () => {
    const said: string[] = [];
    // Of two query heads: a shader of eight to one compiles for seconds.
    const sizes = { ...SIZES, heads: 2 };
    const step = await runLongContext(await testDevice(), sizes, (what) => said.push(what));
    expect(step.verdict).toMatchObject({ pass: true });
    expect([step.pages, step.stepsMs.length, said.length]).toEqual([36, 5, 4]);
  });

  test('has a needle for each head, no two at the same token', () => {
    const needles = Array.from({ length: SIZES.heads }, (_, head) => needleOf(SIZES, head));
    expect(needles).toEqual([0, 8999, 255, 256, 4500, 8744, 1125, 2250]);
  });

  test('shows the page of each needle that is not read', () => {
    const problem = longProblem(SIZES);
    const expected = expect64(problem);
    for (let head = 0; head < SIZES.heads; head++) {
      const page = Math.floor(needleOf(SIZES, head) / SIZES.pageSize);
      const k = problem.k.slice();
      // Keys of zeros have a score of 0, as if the page had lost its rows.
      k.fill(0, page * SIZES.pageSize * SIZES.headDim, (page + 1) * SIZES.pageSize * SIZES.headDim);
      const { o, lse } = attention({ ...problem, k });
      expect(verify(expected, Float32Array.from(o), Float32Array.from(lse)).pass, `head ${head}`).toBe(false);
    }
  });
});

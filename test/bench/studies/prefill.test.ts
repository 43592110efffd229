// prefill.test.ts: the prefill study at a small size: right, and all contestants sampled.
import { expect, test } from 'vitest';
import { runPrefill } from '../../../bench/studies/prefill.ts';
import { testDevice } from '../../support/device.ts';

const SIZES = { tokens: 40, numQHeads: 4, numKvHeads: 2, headDim: 32, matmul: 256, samples: 2 };

test('prefill and products are timed in turn, and rows of both are right', async () => {
  const study = await runPrefill(await testDevice(), SIZES);
  expect(study.verdicts.map(({ pass }) => pass)).toEqual([true, true, true, true, true, true]);
  expect(study.matmulError).toBeLessThan(1e-5);
  expect(study.dispatches).toEqual(['prefill']);
  expect([study.prefill, study.matmul].map(({ samplesMs }) => samplesMs.length)).toEqual([2, 2]);
});

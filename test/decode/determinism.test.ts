// determinism.test.ts: the same bits again, and in deterministic mode the same bits in any company.
import { describe, expect, test } from 'vitest';
import { randomProblem, storeProblem, type ProblemOptions } from '../../src/reference/problem.ts';
import { runProblem, type RunOptions } from '../../bench/check/runProblem.ts';
import { bits } from '../support/attend.ts';
import { testDevice } from '../support/device.ts';
import { TEMPLATES } from '../support/kernels.ts';

const control = { numQHeads: 8, numKvHeads: 2, headDim: 64 };

async function run(options: ProblemOptions, how: RunOptions) {
  return runProblem(await testDevice(), randomProblem(options), how);
}

describe('two runs give the same bits', () => {
  const repeat = async (problem: ProblemOptions, how: RunOptions) => {
    const [first, second] = [await run(problem, how), await run(problem, how)];
    expect(bits(second.o)).toEqual(bits(first.o));
    expect(bits(second.lse)).toEqual(bits(first.lse));
  };

  describe.each(TEMPLATES)('%s', (kernel) => {
    test.each<[string, ProblemOptions, RunOptions]>([
      ['some of a batch split', { ...control, batch: 2, kvLens: [700, 130] }, {}],
      ['whole', { ...control, kvLens: [60] }, {}],
      ['many splits', { ...control, kvLens: [700], capacity: 1100 }, { numSplits: 16 }],
    ])('%s', (_name, problem, how) => repeat(problem, { kernel, ...how }));
  });

  test('plain', () => repeat({ ...control, batch: 2, kvLens: [300, 130] }, { kernel: 'plain' }));
});

describe('deterministic mode', () => {
  const CAPACITY = 1100;
  const QUERY = 8 * 64;
  const CACHE = 2 * CAPACITY * 64;

  /** Sequence `b` of a batch as a batch of its own. */
  function alone(batch: ReturnType<typeof randomProblem>, b: number): typeof batch {
    const part = <T extends { slice(from: number, to: number): T }>(x: T, size: number) =>
      x.slice(b * size, (b + 1) * size);
    return storeProblem({
      ...batch,
      batch: 1,
      kvLens: [batch.kvLens[b]!],
      q: part(batch.q, QUERY),
      k: part(batch.k, CACHE),
      v: part(batch.v, CACHE),
    });
  }

  test.each(TEMPLATES)(
    '%s: a sequence has the same bits alone and beside others, shorter and longer',
    async (kernel) => {
      const device = await testDevice();
      const kvLens = [5, 1100, 256, 257, 0, 700];
      const batch = randomProblem({ ...control, batch: 6, kvLens, capacity: CAPACITY });
      const together = await runProblem(device, batch, { kernel, deterministic: true });
      for (let b = 0; b < kvLens.length; b++) {
        const { o, lse } = await runProblem(device, alone(batch, b), { kernel, deterministic: true });
        const name = `sequence ${b} of ${kvLens[b]} keys`;
        expect(bits(o), name).toEqual(bits(together.o.slice(b * QUERY, (b + 1) * QUERY)));
        expect(bits(lse), name).toEqual(bits(together.lse.slice(b * 8, (b + 1) * 8)));
      }
    },
  );

  test('its bits do differ from another split length, so that the test above can fail', async () => {
    const problem = { ...control, kvLens: [1100] };
    const fixed = await run(problem, { deterministic: true });
    const other = await run(problem, { numSplits: 2 });
    expect(bits(other.o)).not.toEqual(bits(fixed.o));
  });
});

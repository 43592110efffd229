// sequencesLost.test.ts: random sequences of calls on a cache and its decoder whose device is lost, held against the model of
// sequences.node.test.ts.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CALLS } from '../support/cacheCommands.ts';
import { FAULTS, LOSS } from '../support/cacheFaults.ts';
import { CacheModel } from '../support/cacheModel.ts';
import { FEW_SETUPS } from '../support/cacheSetup.ts';
import { ownDevice } from '../support/ownDevice.ts';
import { runsOf } from '../support/randomRuns.ts';
import { RealCache } from '../support/realCache.ts';

test('a device that is lost in mid-decode: every call after that says so, in any order', async () => {
  const counts = new Map<string, number>();
  const commands = fc.tuple(
    fc.commands([...CALLS], { maxCommands: 6, size: 'max' }),
    fc.commands([LOSS], { maxCommands: 1, size: 'max' }),
    fc.commands([...CALLS, ...FAULTS], { maxCommands: 50, size: 'max' }),
  );
  await fc.assert(
    fc.asyncProperty(FEW_SETUPS, commands, async (setup, parts) => {
      using device = await ownDevice(['subgroups']);
      const real = await RealCache.create(device, setup);
      const model = new CacheModel(setup);
      for (const calls of parts) await fc.asyncModelRun(() => ({ model, real }), calls);
      for (const [name, count] of real.counts) counts.set(name, (counts.get(name) ?? 0) + count);
      real.destroy();
    }),
    { seed: 20261128, numRuns: runsOf(7) },
  );
  const names = [
    'append',
    'step',
    'decode',
    'truncate',
    'load',
    'reset',
    'fork',
    'snapshot',
    'idle',
    'report',
    'createDecoder',
    'wrong call',
  ];
  const wanted = names.map((name) => `${name} refused`).concat('loss done', 'createKvCache refused');
  expect(wanted.filter((name) => !counts.has(name))).toEqual([]);
});

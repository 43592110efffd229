// sequences.node.test.ts: random sequences of calls on a cache and its decoder, each held against a model in plain arrays. In Node
// alone: a browser gets such calls by ring.test.ts and segments.test.ts, and by sequencesLost.test.ts with a device that is lost.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CALLS } from '../support/cacheCommands.ts';
import { FAULTS } from '../support/cacheFaults.ts';
import { CacheModel } from '../support/cacheModel.ts';
import { kindOf, KINDS, SETUPS } from '../support/cacheSetup.ts';
import { expectMemory, expectNothing } from '../support/cacheState.ts';
import { LiveBuffers } from '../support/liveBuffers.ts';
import { ownDevice } from '../support/ownDevice.ts';
import { RealCache } from '../support/realCache.ts';

/** Adds the counts of one run to those of all, and to those of its kind of caches. */
function addCounts(all: Map<string, number>, { counts, setup }: RealCache): void {
  for (const [name, count] of counts) {
    for (const each of [name, `${kindOf(setup)}: ${name}`]) all.set(each, (all.get(each) ?? 0) + count);
  }
}

const both = (names: readonly string[]) => names.flatMap((name) => [`${name} done`, `${name} refused`]);

// Ten thousand of them, `GQA_COMMANDS=10000`, take half a minute.
const COMMANDS = Number(import.meta.env.GQA_COMMANDS ?? 2200);
const LIMIT_MS = Math.max(120_000, 30 * COMMANDS);

test(
  'sequences come, go, fork, are saved and decoded, in any order with wrong calls, as the model says',
  async () => {
    // Of its own: other tests' buffers are none of its business.
    using device = await ownDevice(['subgroups']);
    using live = new LiveBuffers(device.gpu);
    const counts = new Map<string, number>();
    const commands = fc.commands([...CALLS, ...CALLS, ...CALLS, ...FAULTS], { maxCommands: 80, size: 'max' });
    await fc.assert(
      fc.asyncProperty(SETUPS, commands, async (setup, calls) => {
        live.clear(); // after a run that failed
        const real = await RealCache.create(device, setup);
        real.live = live;
        const model = new CacheModel(setup);
        try {
          await fc.asyncModelRun(() => ({ model, real }), calls);
          await device.idle();
          expectMemory(model, real);
        } finally {
          addCounts(counts, real);
          real.destroy();
          await device.idle(); // the counters are read a last time
        }
        expectNothing(real);
      }),
      {
        seed: 20261127,
        numRuns: Math.ceil(COMMANDS / 35),
        // Of a failure the shortest run that was found by then.
        interruptAfterTimeLimit: LIMIT_MS - 20_000,
        markInterruptAsFailure: true,
      },
    );
    const calls = [...counts].reduce((sum, [name, count]) => sum + (name.includes(':') ? 0 : count), 0);
    expect(calls).toBeGreaterThan(COMMANDS);
    // A sequence that does nothing passes too.
    const wanted = both([
      'append',
      'ragged append',
      'step',
      'decode',
      'truncate',
      'truncate of one',
      'reset',
      'fork',
      'snapshot',
      'restore',
      'load',
      'report',
      'decode of an old plan',
      'setPages',
      'abandon',
    ]);
    const once = ['idle', 'destroy', 'createKvCache', 'createDecoder', 'recorded fork', 'late abandon'].map(
      (name) => `${name} done`,
    );
    const ofKinds = KINDS.flatMap((kind) =>
      both(['step', 'decode', 'ragged append']).map((name) => `${kind}: ${name}`),
    );
    const rare = [...wanted, ...once, ...ofKinds, 'wrong call refused'];
    expect(rare.filter((name) => !counts.has(name))).toEqual([]);
  },
  LIMIT_MS,
);

// quiet.node.test.ts: how often the event loop turns while a wait is quiet, and afterwards.
import { expect, test } from 'vitest';
import { quietWait } from '../../src/node/quiet.ts';

/** Turns of the event loop in 200 ms, counted the way Dawn polls: by an immediate that sets itself again. */
async function turnsIn200ms(): Promise<number> {
  const end = performance.now() + 200;
  let turns = 0;
  while (performance.now() < end) {
    turns++;
    await new Promise((done) => setImmediate(done));
  }
  return turns;
}

/** Immediates that keep the process alive. */
function immediates(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Immediate').length;
}

test('turns are rare while quiet and frequent again after stop', async () => {
  const stop = quietWait();
  const quiet = await turnsIn200ms();
  stop();
  // 5 % sleeps: about 20 ln(20 ms / 1 ms) turns up to 20 ms, then one in a millisecond; at most 4000 by the shortest sleep.
  expect(quiet).toBeGreaterThan(10);
  expect(quiet).toBeLessThan(1000);
  expect(await turnsIn200ms()).toBeGreaterThan(3 * quiet);
});

test('a wait that is over soon is hardly delayed', async () => {
  const delays: number[] = [];
  for (let i = 0; i < 20; i++) {
    const stop = quietWait();
    const started = performance.now();
    await new Promise((done) => setImmediate(done));
    delays.push(performance.now() - started);
    stop();
  }
  expect(delays.toSorted((a, b) => a - b)[10]).toBeLessThan(1);
});

test('a forgotten stop leaves nothing that keeps the process alive', () => {
  const before = immediates();
  const stop = quietWait();
  expect(immediates()).toBe(before);
  stop();
});

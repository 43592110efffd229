// dawnPolling.node.test.ts: the setup of all tests in Node knows Dawn's polls, and no other immediates.
import { afterEach, expect, test, vi } from 'vitest';
import { testDevice } from '../support/device.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

test('a wait for the GPU sleeps between polls', async () => {
  const { queue } = (await testDevice()).gpu;
  const sleep = vi.spyOn(Atomics, 'wait');
  await queue.onSubmittedWorkDone();
  expect(sleep).toHaveBeenCalled();
});

test('immediates of the code under test come at once, with their arguments', async () => {
  const sleep = vi.spyOn(Atomics, 'wait');
  await new Promise((done) => setImmediate(done));
  const given = await new Promise((done) => setImmediate((...args: unknown[]) => done(args), 1, 'two'));
  expect(given).toEqual([1, 'two']);
  expect(sleep).not.toHaveBeenCalled();
});

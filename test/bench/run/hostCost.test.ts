// hostCost.test.ts: what a call costs by clocks of several steps, in simulated time.
import { expect, test } from 'vitest';
import { perCall } from '../../../bench/run/hostCost.ts';

/** A clock with steps of so many ns, and a call that takes `costNs` on it. */
function simulate(stepNs: number, costNs: number) {
  let now = 0;
  const clock = { now: () => (Math.floor((now += 10) / stepNs) * stepNs) / 1e6 };
  return { clock, act: () => void (now += costNs) };
}

test.each([1, 5000, 100_000, 1e6])('by a clock with steps of %d ns a call of 2 µs takes 2 µs', (stepNs) => {
  const { clock, act } = simulate(stepNs, 2000);
  expect(Math.abs(perCall(act, clock)! / 2000 - 1)).toBeLessThan(0.05);
});

test('a clock too coarse for the call gives no time, not 0', () => {
  const { clock, act } = simulate(1e8, 1);
  expect(perCall(act, clock)).toBeNull();
});

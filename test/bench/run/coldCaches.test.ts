// coldCaches.test.ts: how much is read in turn, and what a machine bears of it.
import { expect, test } from 'vitest';
import { coldBytesOf, copiesPerKernel, rotatedBytesOf } from '../../../bench/run/coldCaches.ts';

const MIB = 2 ** 20;

test.each([
  ['an unknown GPU', false, undefined, 256, 256],
  ['a GPU whose cache the user names', false, 96, 192, 192],
  ['an unknown processor', true, undefined, 64, 64],
  ['a desktop processor', true, 32, 64, 64],
  ['a server processor: its rows are not cold, but cost what others cost', true, 480, 960, 256],
])('%s', (_, software, lastLevelMib, cold, rotated) => {
  const coldBytes = coldBytesOf(software, lastLevelMib && lastLevelMib * MIB);
  expect([coldBytes, rotatedBytesOf(software, coldBytes)]).toEqual([cold * MIB, rotated * MIB]);
});

// Up to three bind groups a step (the plain kernel), a memory map for each, of the 65,530 that Linux allows.
test.each([1, 3, 9, 18, 54, 1000])('the steps of %i kernels leave half the maps to others', (kernels) => {
  const copies = copiesPerKernel(kernels);
  expect(copies).toBeGreaterThanOrEqual(1);
  expect(3 * kernels * copies).toBeLessThan(65_530 / 2);
});

test('there is one copy even of a kernel too many', () => {
  expect(copiesPerKernel(100_000)).toBe(1);
});

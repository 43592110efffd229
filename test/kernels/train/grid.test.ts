// grid.test.ts: foldedGrid: enough workgroups, hardly more, and in no dimension more than devices have.
import { expect, test } from 'vitest';
import { foldedGrid } from '../../../src/kernels/train/grid.ts';

test.each([1, 2, 65535, 65536, 65537, 200_001, 2 ** 31])('%i workgroups', (workgroups) => {
  const [x, y, z] = foldedGrid(workgroups);
  expect([x <= 65535, y <= 65535, z, x * y >= workgroups]).toEqual([true, true, 1, true]);
  expect(x * y - workgroups).toBeLessThan(y);
});

// matmul.test.ts: matmul against its twin, and the sizes it refuses.
import { expect, test } from 'vitest';
import { ShapeError } from '../../../src/device/errors.ts';
import { matmul } from '../../../src/kernels/probe/matmul.ts';
import { normals } from '../../../src/numbers/random.ts';
import { matmul as twin } from '../../reference/matmul.ts';
import { testDevice } from '../../support/device.ts';
import { runKernel } from '../../support/runKernel.ts';

const device = await testDevice();

test.each([
  [
    { m: 8, n: 64, k: 4 },
    { wgSize: 8, rows: 4, columns: 1 },
  ],
  [
    { m: 6, n: 96, k: 20 },
    { wgSize: 4, rows: 3, columns: 2 },
  ],
])('%o by %o', async ({ m, n, k }, variant) => {
  const [a, b] = [normals(1, m * k), normals(2, k * n)];
  const { kernel, grid } = matmul({ m, n, k }, variant);
  const { c } = await runKernel(device, {
    kernel,
    grid,
    inputs: { a, b },
    outputs: { c: new Float32Array(m * n).fill(NaN) },
  });
  const want = twin(a, b, m, k, n);
  const worst = want.reduce((most, x, at) => Math.max(most, Math.abs(x - c![at]!)), 0);
  expect(worst).toBeLessThan(1e-5);
});

test('sizes with a rest are refused', () => {
  const variant = { wgSize: 8, rows: 4, columns: 1 };
  expect(() => matmul({ m: 6, n: 64, k: 4 }, variant)).toThrow(ShapeError);
  expect(() => matmul({ m: 8, n: 48, k: 4 }, variant)).toThrow(ShapeError);
  expect(() => matmul({ m: 8, n: 64, k: 5 }, variant)).toThrow(ShapeError);
});

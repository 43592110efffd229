// checkAppend.test.ts: the check of appends passes on this device, and finds a device that stores or counts otherwise.
import { expect, test, vi } from 'vitest';
import { checkAppends } from '../../../bench/check/checkAppend.ts';
import { KV_TYPES } from '../../../src/index.ts';
import type { Kernel } from '../../../src/kernels/kernel.ts';
import { testDevice } from '../../support/device.ts';
import { ownDevice } from '../../support/ownDevice.ts';

test('every type is stored and counted as on the host', async () => {
  const device = await testDevice();
  expect(await checkAppends(device)).toEqual(KV_TYPES.map((type) => ({ type })));
  await device.idle(); // what was not finite is not left for others
});

/** Checks a device whose append kernel has other text in one place. */
async function withShader(from: string, to: string) {
  const device = await ownDevice();
  const get = device.pipelines.get.bind(device.pipelines);
  vi.spyOn(device.pipelines, 'get').mockImplementation((kernel: Kernel) =>
    get({ ...kernel, source: kernel.source.replaceAll(from, to) }),
  );
  try {
    return await checkAppends(device);
  } finally {
    device.destroy();
  }
}

const found = (checks: Awaited<ReturnType<typeof checkAppends>>) =>
  checks.filter(({ wrong }) => wrong !== undefined).map(({ type }) => type);

test('halves that are cut instead of rounded', async () => {
  const checks = await withShader('rebiased + vec4<u32>(0xfffu) + odd', 'rebiased');
  expect(found(checks)).toEqual(['f16']);
  expect(checks[1]!.wrong).toMatch(/^\d+ of 4608 bytes of k are not those of the host$/);
});

test('scales that are rounded down', async () => {
  expect(found(await withShader('select(whole, whole + 1u, whole * unit != mantissa)', 'whole'))).toEqual([
    'int8',
    'int4',
  ]);
});

test('counts that are missing', async () => {
  const checks = await withShader('trues(!finite)', '0u');
  expect(found(checks)).toEqual(KV_TYPES);
  expect(checks[0]!.wrong).toMatch(/^counted .*"notFinite":0.* in k, the host .*"notFinite":3/);
});

test('a kernel that does not compile', async () => {
  const checks = await withShader('const LEAST_SCALE', 'const LEST_SCALE');
  expect(found(checks)).toEqual(['int8', 'int4']);
  expect(checks[3]!.wrong).toContain('append_kv');
});

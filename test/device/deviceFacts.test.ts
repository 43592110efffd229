// deviceFacts.test.ts: facts of devices whose hosts list subgroup matrices in one place or another; no device is opened.
import { describe, expect, test } from 'vitest';
import { factsOf, MATRIX_FEATURE } from '../../src/device/deviceFacts.ts';

interface Config {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

const square = (size: number, componentType = 'f16', resultComponentType = 'f32'): Config => {
  return { componentType, resultComponentType, M: size, N: size, K: size };
};

/** What RADV offers on a GPU of RDNA 3. */
const NAVI31 = [square(16, 'u8', 'u32'), square(16, 'i8', 'i32'), square(16, 'f16', 'f16'), square(16)];

const infoWith = (subgroupMatrixConfigs?: readonly Config[]) =>
  ({ vendor: 'amd', subgroupMatrixConfigs }) as unknown as GPUAdapterInfo;

const ALL = ['subgroups', 'shader-f16', MATRIX_FEATURE];

function unitOf(
  own: readonly Config[] | undefined,
  adapters?: readonly Config[],
  { features = ALL, hasSubgroupId = true } = {},
): number {
  const device = { limits: {}, features: new Set(features), adapterInfo: infoWith(own) };
  const info = adapters && infoWith(adapters);
  return factsOf(device as unknown as GPUDevice, hasSubgroupId, info).matrixUnit;
}

describe('the unit of subgroup matrices', () => {
  test('is that of the device where it lists any, else that of its adapter', () => {
    expect(unitOf(NAVI31)).toBe(16);
    expect(unitOf([], NAVI31)).toBe(16);
    expect(unitOf(undefined, [square(8)])).toBe(8);
    expect(unitOf([square(8)], NAVI31)).toBe(8);
    expect(unitOf([square(16, 'f16', 'f16')], NAVI31)).toBe(0);
  });

  test('is 0 where nothing is listed, or nothing of f16 with sums of f32 in cubes of 8 or 16', () => {
    expect([unitOf(undefined), unitOf([]), unitOf([], [])]).toEqual([0, 0, 0]);
    expect(unitOf([], [square(32), square(16, 'f32'), { ...square(16), N: 8 }])).toBe(0);
  });

  test.each(ALL)('is 0 without %s', (missing) => {
    expect(unitOf([], NAVI31, { features: ALL.filter((name) => name !== missing) })).toBe(0);
  });

  test('is 0 where WGSL lacks subgroup_id, which the kernel reads', () => {
    expect(unitOf(NAVI31, NAVI31, { hasSubgroupId: false })).toBe(0);
  });
});

// deviceFacts.ts: a device's facts: read from it, and checked where callers give them.
import { isSoftware } from './adapterInfo.ts';
import { LimitExceededError } from './errors.ts';
import { checkNumbers } from './options.ts';

/** What planning needs to know of a device; plain data, so that plans can be made and tested without one. */
export interface DeviceFacts {
  /** A CPU pretends to be a GPU (lavapipe, SwiftShader, WARP). */
  readonly software: boolean;
  /** As the adapter says, in lower case; browsers may leave it empty. */
  readonly vendor: string;
  /** The feature, and the WGSL builtins that the kernels need with it. */
  readonly subgroups: boolean;
  readonly subgroupMinSize: number;
  readonly subgroupMaxSize: number;
  /** Whether a shader can ask for a size between them. */
  readonly subgroupSizeControl: boolean;
  /** Rows, columns and depth of its subgroup matrices of f16 with sums of f32; 0 where it has none of 8 or 16 alike. */
  readonly matrixUnit: number;
  readonly maxInvocations: number;
  readonly maxWorkgroupStorage: number;
  readonly maxBindingBytes: number;
  readonly maxBufferBytes: number;
  /** Most workgroups of a dispatch in one dimension. */
  readonly maxGrid: number;
}

/**
 * A device's facts, by what its host says of it. `adapterInfo` is what its adapter says, where it is known: Dawn's Node binding lists
 * matrices there alone.
 */
export function factsOf(
  device: GPUDevice,
  hasSubgroupId: boolean,
  adapterInfo: GPUAdapterInfo = device.adapterInfo,
): DeviceFacts {
  const { limits, features, adapterInfo: info } = device;
  return {
    software: isSoftware(info),
    vendor: info.vendor,
    subgroups: features.has('subgroups') && hasSubgroupId,
    subgroupMinSize: info.subgroupMinSize ?? 4,
    subgroupMaxSize: info.subgroupMaxSize ?? 128,
    subgroupSizeControl: features.has('subgroup-size-control'),
    matrixUnit: hasSubgroupId ? matrixUnitOf(features, [info, adapterInfo]) : 0,
    maxInvocations: Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX),
    maxWorkgroupStorage: limits.maxComputeWorkgroupStorageSize,
    maxBindingBytes: limits.maxStorageBufferBindingSize,
    maxBufferBytes: limits.maxBufferSize,
    maxGrid: limits.maxComputeWorkgroupsPerDimension,
  };
}

/** One kind of matrices that an adapter offers; Dawn's experimental extension of GPUAdapterInfo. */
interface SubgroupMatrixConfig {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

export const MATRIX_FEATURE = 'chromium-experimental-subgroup-matrix' as GPUFeatureName;

/** By the first that lists any matrices. */
function matrixUnitOf(features: GPUSupportedFeatures, infos: readonly GPUAdapterInfo[]): number {
  if (![MATRIX_FEATURE, 'shader-f16', 'subgroups'].every((name) => features.has(name))) return 0;
  const lists = infos.map(
    (info) =>
      (info as { subgroupMatrixConfigs?: readonly SubgroupMatrixConfig[] }).subgroupMatrixConfigs ?? [],
  );
  const configs = lists.find(({ length }) => length > 0) ?? [];
  const config = configs.find(
    ({ componentType, resultComponentType, M, N, K }) =>
      componentType === 'f16' && resultComponentType === 'f32' && M === N && N === K && (M === 8 || M === 16),
  );
  return config?.M ?? 0;
}

/** Throws ShapeError unless these are facts of a device. */
export function checkFacts(where: string, facts: DeviceFacts): void {
  checkNumbers(where, facts, FACT_NUMBERS, 'GqaDevice.facts');
}

const FACT_NUMBERS = [
  'subgroupMinSize',
  'subgroupMaxSize',
  'matrixUnit',
  'maxInvocations',
  'maxWorkgroupStorage',
  'maxBindingBytes',
  'maxBufferBytes',
  'maxGrid',
] as const satisfies readonly (keyof DeviceFacts)[];

/** Throws LimitExceededError when a storage buffer of `bytes` could not be made or bound whole. */
export function checkBufferBytes(facts: DeviceFacts, where: string, bytes: number): void {
  if (bytes > facts.maxBindingBytes) {
    throw new LimitExceededError(where, 'maxStorageBufferBindingSize', bytes, facts.maxBindingBytes);
  }
  if (bytes > facts.maxBufferBytes) {
    throw new LimitExceededError(where, 'maxBufferSize', bytes, facts.maxBufferBytes);
  }
}

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
  readonly maxInvocations: number;
  readonly maxWorkgroupStorage: number;
  readonly maxBindingBytes: number;
  readonly maxBufferBytes: number;
  /** Most workgroups of a dispatch in one dimension. */
  readonly maxGrid: number;
}

/** A device's facts, by what its host says of it. */
export function factsOf(
  { limits, features, adapterInfo: info }: Pick<GPUDevice, 'limits' | 'features' | 'adapterInfo'>,
  hasSubgroupId: boolean,
): DeviceFacts {
  return {
    software: isSoftware(info),
    vendor: info.vendor,
    subgroups: features.has('subgroups') && hasSubgroupId,
    subgroupMinSize: info.subgroupMinSize ?? 4,
    subgroupMaxSize: info.subgroupMaxSize ?? 128,
    subgroupSizeControl: features.has('subgroup-size-control'),
    maxInvocations: Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX),
    maxWorkgroupStorage: limits.maxComputeWorkgroupStorageSize,
    maxBindingBytes: limits.maxStorageBufferBindingSize,
    maxBufferBytes: limits.maxBufferSize,
    maxGrid: limits.maxComputeWorkgroupsPerDimension,
  };
}

/** Throws ShapeError unless these are facts of a device. */
export function checkFacts(where: string, facts: DeviceFacts): void {
  checkNumbers(where, facts, FACT_NUMBERS, 'GqaDevice.facts');
}

const FACT_NUMBERS = [
  'subgroupMinSize',
  'subgroupMaxSize',
  'maxInvocations',
  'maxWorkgroupStorage',
  'maxBindingBytes',
  'maxBufferBytes',
  'maxGrid',
] as const satisfies readonly (keyof DeviceFacts)[];

/** Throws LimitExceededError when a storage buffer of `bytes` could not be made or bound whole; `hint`: what would fit. */
export function checkBufferBytes(
  facts: Pick<DeviceFacts, 'maxBindingBytes' | 'maxBufferBytes'>,
  where: string,
  bytes: number,
  hint?: string,
): void {
  if (bytes > facts.maxBindingBytes) {
    throw new LimitExceededError(where, 'maxStorageBufferBindingSize', bytes, facts.maxBindingBytes, hint);
  }
  if (bytes > facts.maxBufferBytes) {
    throw new LimitExceededError(where, 'maxBufferSize', bytes, facts.maxBufferBytes, hint);
  }
}

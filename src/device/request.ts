// request.ts: what the kernels can make use of, to ask an adapter for.
const COMPUTE_LIMITS = [
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
] as const;

const BUFFER_LIMITS = ['maxBufferSize', 'maxStorageBufferBindingSize'] as const;

const FEATURES = ['subgroups', 'subgroup-size-control'] as GPUFeatureName[];

/** The parts of an adapter that a request is made from. */
export type AdapterOffer = Pick<GPUAdapter, 'features' | 'limits'>;

/** A device descriptor without a label. */
export interface DeviceRequest {
  readonly requiredFeatures: GPUFeatureName[];
  readonly requiredLimits: Record<string, number>;
}

/** Subgroups, where there are some, of a size that can be asked for, and workgroups as large as they can be: what makes kernels faster, never more right. */
export function computeRequest({ features, limits }: AdapterOffer): DeviceRequest {
  return {
    requiredFeatures: FEATURES.filter((name) => features.has(name)),
    requiredLimits: Object.fromEntries(COMPUTE_LIMITS.map((name) => [name, limits[name]])),
  };
}

/** The same, and buffers as large as they can be. */
export function fullRequest(adapter: AdapterOffer): DeviceRequest {
  const { requiredFeatures, requiredLimits } = computeRequest(adapter);
  for (const name of BUFFER_LIMITS) requiredLimits[name] = adapter.limits[name];
  return { requiredFeatures, requiredLimits };
}

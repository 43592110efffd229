// deviceRequest.ts: the device that the benchmark and the checks ask for, in Node and in a browser.
import { MATRIX_FEATURE } from '../src/device/gqaDevice.ts';

// shader-f16 serves reports and the matrix kernel alone: 16-bit caches do not need it. Adapters offer matrices only where
// experimental features were asked for.
const FEATURES: readonly GPUFeatureName[] = ['subgroups', 'timestamp-query', 'shader-f16', MATRIX_FEATURE];

const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
] as const;

/** Asks for every feature and limit that a run can make use of, as far as the adapter has them. */
export function fullDescriptor({ features, limits }: GPUAdapter): GPUDeviceDescriptor {
  return {
    requiredFeatures: FEATURES.filter((feature) => features.has(feature)),
    requiredLimits: Object.fromEntries(LIMITS.map((limit) => [limit, limits[limit]])),
  };
}

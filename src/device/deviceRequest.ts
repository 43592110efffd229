// deviceRequest.ts: the device that the benchmark and the checks ask for, in Node and in a browser.
import { fullRequest } from './request.ts';

// shader-f16 serves reports alone: 16-bit caches do not need it.
const FEATURES: readonly GPUFeatureName[] = ['timestamp-query', 'shader-f16'];

/** Asks for every feature and limit that a run can make use of, as far as the adapter has them. */
export function fullDescriptor(adapter: GPUAdapter): GPUDeviceDescriptor {
  const { requiredFeatures, requiredLimits } = fullRequest(adapter);
  const more = FEATURES.filter((feature) => adapter.features.has(feature));
  return { requiredFeatures: [...requiredFeatures, ...more], requiredLimits };
}

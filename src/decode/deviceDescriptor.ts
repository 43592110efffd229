// deviceDescriptor.ts: the features and limits that a shape needs of a device.
import { checkCacheFits } from '../cache/cacheFits.ts';
import { CACHE_OPTIONS, cacheLayout, type CacheOptions } from '../cache/layout.ts';
import { ShapeError } from '../device/errors.ts';
import { checkOptions, describe, isObject, pickKnown, type Known } from '../device/options.ts';
import { computeRequest, type AdapterOffer, type DeviceRequest } from '../device/request.ts';
import { checkShape, SHAPE_OPTIONS, type ShapeOptions } from '../kernels/shape.ts';

/** A decode shape with the cache it runs on. */
export type DeviceNeeds = ShapeOptions & CacheOptions;

const NEEDS = { ...SHAPE_OPTIONS, ...CACHE_OPTIONS } satisfies Known<DeviceNeeds>;

// WebGPU's guaranteed limits: asking for them is asking for nothing.
const GUARANTEED = { maxStorageBufferBindingSize: 128 * 2 ** 20, maxBufferSize: 256 * 2 ** 20 };

/**
 * What to pass to `adapter.requestDevice()` for this shape: subgroups and large workgroups where the adapter has them (they
 * make it faster, never more right) and the buffer limits that exceed WebGPU's guaranteed ones; pages or KV heads that exceed the
 * adapter's are spread over several bindings. Throws ShapeError for bad
 * numbers and LimitExceededError when the adapter cannot serve the shape.
 */
export function deviceDescriptor(adapter: AdapterOffer, needs: DeviceNeeds): DeviceRequest {
  if (!isObject(adapter) || !isObject(adapter.limits) || typeof adapter.features?.has !== 'function') {
    throw new ShapeError(`deviceDescriptor: expected a GPUAdapter, got ${describe(adapter)}`);
  }
  checkOptions('deviceDescriptor', needs, NEEDS);
  checkShape(pickKnown<ShapeOptions>(needs, SHAPE_OPTIONS));
  const { maxStorageBufferBindingSize: maxBindingBytes, maxBufferSize: maxBufferBytes } = adapter.limits;
  const limits = { maxBindingBytes, maxBufferBytes };
  const layout = cacheLayout(pickKnown<CacheOptions>(needs, CACHE_OPTIONS), limits);
  checkCacheFits('deviceDescriptor', layout, limits);
  const largest = layout.perLayer.reduce(
    (most, { kBytes, vBytes, segments }) => Math.max(most, kBytes / segments, vBytes / segments),
    0,
  );
  const request = computeRequest(adapter);
  for (const limit of ['maxStorageBufferBindingSize', 'maxBufferSize'] as const) {
    if (largest > GUARANTEED[limit]) request.requiredLimits[limit] = largest;
  }
  return request;
}

// hostObjects.ts: checks the objects that a host hands in: its GPU object, and a device of its own.
import { NoAdapterError } from './errors.ts';
import { describe, isObject } from './options.ts';

const NO_WEBGPU =
  'a page needs a browser with WebGPU and an address that begins with https:// or http://localhost; ' +
  'in Node the object comes from nodeGpu() of "gqa-webgpu/node"';

/** Throws NoAdapterError when this is no GPU object: `navigator.gpu` is undefined by plain http, in old browsers and in Node. */
export function checkGpu(where: string, gpu: GPU | null | undefined): asserts gpu is GPU {
  if (typeof gpu?.requestAdapter === 'function') return;
  const given: unknown = gpu;
  const wrapped = isObject(given) && 'gpu' in given;
  const hint = wrapped ? 'pass the `gpu` that it holds' : NO_WEBGPU;
  throw new NoAdapterError(`${where}: expected a GPU object, got ${kindOf(gpu)}.`, { hint });
}

/** Throws NoAdapterError when this is no GPUDevice, as where opening one was not waited for. */
export function checkGpuDevice(
  where: string,
  device: GPUDevice | null | undefined,
): asserts device is GPUDevice {
  if (typeof device?.createBuffer === 'function') return;
  throw new NoAdapterError(`${where}: expected a GPUDevice, got ${kindOf(device)}.`, {
    hint: 'pass what requestDevice() of a GPUAdapter resolves to',
  });
}

function kindOf(value: unknown): string {
  return value instanceof Promise ? 'a promise, which must be awaited first' : describe(value);
}

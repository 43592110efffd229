// adapterInfo.ts: what a host tells of an adapter: names that it goes by, and whether it is a software renderer.
import { ShapeError } from './errors.ts';
import { describe, isObject } from './options.ts';

/** Is this adapter or device a software renderer? By WebGPU's own flag, else by the names such renderers go by. */
export function isSoftware(info: GPUAdapterInfo): boolean {
  checkAdapterInfo('isSoftware', info);
  const names = `${info.vendor} ${info.architecture} ${info.device} ${info.description}`;
  return info.isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|software|basic render/i.test(names);
}

/** Throws ShapeError unless this is a GPUAdapterInfo. */
export function checkAdapterInfo(where: string, info: GPUAdapterInfo): void {
  if (isObject(info) && typeof info.vendor === 'string') return;
  throw new ShapeError(`${where}: expected a GPUAdapterInfo, got ${describe(info)}`);
}

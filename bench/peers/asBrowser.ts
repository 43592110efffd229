// asBrowser.ts: gives libraries written for browsers the WebGPU that they look for, in Node.
import { globals } from 'webgpu';

/**
 * Puts `gpu` on `navigator` and WebGPU's names on the global object. jax-js gets the iterator methods that Node before
 * 22 lacks; onnxruntime-web, whose memory is shared between threads, gets copies of what it uploads from it, which
 * Dawn refuses to take directly: three uploads of a few bytes in a step.
 */
export async function actAsBrowser(gpu: GPU): Promise<void> {
  Object.assign(globalThis, globals);
  if (!('navigator' in globalThis)) {
    Object.defineProperty(globalThis, 'navigator', { value: { userAgent: 'node' }, configurable: true });
  }
  Object.defineProperty(navigator, 'gpu', { value: gpu, configurable: true });
  takeSharedMemory();
  if (!('Iterator' in globalThis)) await import('core-js/es/iterator/index.js').catch(() => {});
}

function takeSharedMemory(): void {
  const { prototype } = GPUQueue;
  // oxlint-disable-next-line typescript/unbound-method -- called with its queue below
  const write = prototype.writeBuffer;
  prototype.writeBuffer = function (buffer, at, data, offset = 0, size) {
    if (!ArrayBuffer.isView(data) || !(data.buffer instanceof SharedArrayBuffer)) {
      return write.call(this, buffer, at, data as GPUAllowSharedBufferSource, offset, size);
    }
    // Offset and size count the elements of the view.
    const element = data instanceof DataView ? 1 : data.byteLength / (data as unknown as Uint8Array).length;
    const from = data.byteOffset + offset * element;
    const bytes = size === undefined ? data.byteLength - offset * element : size * element;
    return write.call(this, buffer, at, new Uint8Array(data.buffer, from, bytes).slice());
  };
}

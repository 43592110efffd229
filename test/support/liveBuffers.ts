// liveBuffers.ts: which buffers of a device are there: made and not destroyed.
import { vi } from 'vitest';

/** The buffers that a device made since it was watched. */
export class LiveBuffers {
  readonly #live = new Set<GPUBuffer>();
  readonly #stop: () => void;

  constructor(gpu: GPUDevice) {
    const create = gpu.createBuffer.bind(gpu);
    const spy = vi.spyOn(gpu, 'createBuffer').mockImplementation((descriptor) => {
      const buffer = create(descriptor);
      const destroy = buffer.destroy.bind(buffer);
      this.#live.add(buffer);
      buffer.destroy = () => {
        this.#live.delete(buffer);
        return destroy();
      };
      return buffer;
    });
    this.#stop = () => spy.mockRestore();
  }

  /** Bytes of those whose labels match. */
  bytes(labels: RegExp): number {
    return [...this.#live].reduce((sum, { label, size }) => sum + (labels.test(label) ? size : 0), 0);
  }

  [Symbol.dispose](): void {
    this.#stop();
  }
}

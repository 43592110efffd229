// liveBuffers.ts: which buffers of a device are there: made and not destroyed.
import { vi } from 'vitest';

/** The buffers that a device made since it was watched. */
export class LiveBuffers {
  readonly #live = new Set<GPUBuffer>();
  /** Of each label, how many were made. */
  readonly #made = new Map<string, number>();
  readonly #stop: () => void;

  constructor(gpu: GPUDevice) {
    const create = gpu.createBuffer.bind(gpu);
    const spy = vi.spyOn(gpu, 'createBuffer').mockImplementation((descriptor) => {
      const buffer = create(descriptor);
      const destroy = buffer.destroy.bind(buffer);
      this.#live.add(buffer);
      this.#made.set(buffer.label, this.made(buffer.label) + 1);
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

  /** Labels of those that are there, with how many they are of each. */
  labels(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { label } of this.#live) counts[label] = (counts[label] ?? 0) + 1;
    return counts;
  }

  /** How many of a label were made. */
  made(label: string): number {
    return this.#made.get(label) ?? 0;
  }

  /** Destroys those that are there, and starts to count anew. */
  clear(): void {
    for (const buffer of this.#live) buffer.destroy();
    this.#made.clear();
  }

  [Symbol.dispose](): void {
    this.#stop();
  }
}

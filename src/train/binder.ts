// binder.ts: kernels bound with their numbers, ready to be recorded again and again.
import { createUniform, type BufferRange } from '../device/buffers.ts';
import type { DeviceFacts } from '../device/deviceFacts.ts';
import type { GqaDevice } from '../device/gqaDevice.ts';
import { bindKernel, dispatch } from '../device/record.ts';
import type { Grid, Kernel } from '../kernels/kernel.ts';
import type { Block } from './parameters.ts';

/** Records what was bound. */
export type Recorded = (pass: GPUComputePassEncoder) => void;

/** A dispatch to bind: buffers by the names of its bindings, and the words of `numbers`, where it has that. */
export interface Dispatch {
  readonly kernel: Kernel;
  readonly grid: Grid;
  readonly buffers: Readonly<Record<string, BufferRange>>;
  readonly numbers?: Uint32Array<ArrayBuffer>;
}

/** Binds kernels on a device, and keeps what it makes for them until it is destroyed. */
export class Binder {
  readonly device: GqaDevice;
  readonly #uniforms: GPUBuffer[] = [];

  constructor(device: GqaDevice) {
    this.device = device;
  }

  get facts(): DeviceFacts {
    return this.device.facts;
  }

  /** Compiles the kernel, unless it is known, and binds it. */
  async bind({ kernel, grid, buffers, numbers }: Dispatch): Promise<Recorded> {
    const compiled = await this.device.pipelines.get(kernel);
    const all = { ...buffers, ...(numbers && { numbers: this.uniform(`${kernel.name} numbers`, numbers) }) };
    const bound = bindKernel(this.device.gpu, compiled, all);
    return (pass) => dispatch(pass, bound, grid);
  }

  uniform(label: string, words: Uint32Array<ArrayBuffer>): BufferRange {
    const uniform = createUniform(this.device, label, words);
    this.#uniforms.push(uniform);
    return wholeRange(uniform);
  }

  /** Binds all and records them one after the other. */
  async bindAll(dispatches: readonly Dispatch[]): Promise<Recorded> {
    return inTurn(await Promise.all(dispatches.map((each) => this.bind(each))));
  }

  destroy(): void {
    for (const buffer of this.#uniforms) buffer.destroy();
  }
}

/** Records one after the other. */
export function inTurn(all: readonly Recorded[]): Recorded {
  return (pass) => {
    for (const record of all) record(pass);
  };
}

export function wholeRange(buffer: GPUBuffer): BufferRange {
  return { buffer, offset: 0, size: buffer.size };
}

/** The part of a buffer of parameters, or of gradients, that a block is. */
export function rangeOfBlock(buffer: GPUBuffer, { offset, rows, columns }: Block): BufferRange {
  return { buffer, offset: offset * 4, size: rows * columns * 4 };
}

/** Elements of a range from one on. */
export function partOf({ buffer, offset }: BufferRange, first: number, count: number): BufferRange {
  return { buffer, offset: offset + first * 4, size: count * 4 };
}

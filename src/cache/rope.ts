// rope.ts: rotary position embedding on a device: the table of turns that appends read.
import { allocated, writeData, type BufferRange } from '../device/buffers.ts';
import { DestroyedError, ForeignDeviceError, ShapeError } from '../device/errors.ts';
import { checkDevice, type GqaDevice } from '../device/gqaDevice.ts';
import { checkInstance, checkOptions, checkWhole, pickKnown, type Known } from '../device/options.ts';
import { checkHeadDim } from '../kernels/shape.ts';
import {
  checkRopeFormat,
  MAX_POSITIONS,
  ROPE_FORMAT,
  ropeFrequencies,
  ropeTable,
  ropeTableBytes,
  type RopeFormat,
  type RopeStyle,
} from '../numbers/rope.ts';

/** How rows are turned, and how far. */
export interface RopeOptions extends RopeFormat {
  /**
   * Positions from 0 that there are turns for: the capacity of the largest cache it is for, 1 to 2^24. LongRoPE turns by its short factors up to
   * the original context, and by its long ones beyond: keys that are in a cache cannot be turned again, so the number decides that a text may come to.
   */
  readonly positions: number;
}

const ROPE_OPTIONS = { ...ROPE_FORMAT, positions: true } satisfies Known<RopeOptions>;

/**
 * Makes the turns of all positions, in float64 until they are cosines and sines. Takes 4 * rotaryDim bytes for each of the
 * first 512 positions and for each 512 positions: 384 KiB for 128 elements and 131072 positions. Throws ShapeError for bad
 * numbers, GpuError when the memory cannot be had.
 */
export async function createRope(device: GqaDevice, options: RopeOptions): Promise<Rope> {
  checkDevice('createRope', device);
  device.assertUsable();
  checkOptions('rope', options, ROPE_OPTIONS);
  const format = checkRopeFormat('rope', pickKnown<RopeFormat>(options, ROPE_FORMAT));
  checkHeadDim('rope: headDim', format.headDim);
  checkWhole('rope: positions', options.positions, 1, MAX_POSITIONS);
  const { positions } = options;
  const bytes = ropeTableBytes(format.rotaryDim, positions);
  return allocated(device, `rope: ${bytes} bytes`, (create) => {
    const buffer = create('turns', bytes);
    writeData(device, { buffer, offset: 0 }, ropeTable(ropeFrequencies(format, positions), positions));
    return new Rope(device, { ...format, positions }, buffer);
  });
}

/** Turns of all positions on a device, for `KvCache.bindAppend`. One serves all layers that turn their rows alike. */
export class Rope {
  readonly device: GqaDevice;
  readonly headDim: number;
  readonly rotaryDim: number;
  readonly style: RopeStyle;
  readonly positions: number;
  readonly #buffer: GPUBuffer;
  #destroyed = false;

  /** @internal Use createRope. */
  constructor(
    device: GqaDevice,
    { headDim, rotaryDim, style, positions }: Required<Omit<RopeOptions, 'scaling' | 'base'>>,
    buffer: GPUBuffer,
  ) {
    this.device = device;
    this.headDim = headDim;
    this.rotaryDim = rotaryDim;
    this.style = style;
    this.positions = positions;
    this.#buffer = buffer;
  }

  /** @internal The kernel's `turns` binding. */
  range(): BufferRange {
    if (this.#destroyed) throw new DestroyedError('the rope');
    return { buffer: this.#buffer, offset: 0, size: this.#buffer.size };
  }

  /** Frees the table. Idempotent. What is bound to it cannot be submitted any more. */
  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#buffer.destroy();
  }

  [Symbol.dispose](): void {
    this.destroy();
  }
}

/** Throws ShapeError, ForeignDeviceError and DestroyedError for what cannot turn such rows in a cache of such a capacity. */
export function checkRope(
  where: string,
  rope: Rope,
  device: GqaDevice,
  { headDim, capacity }: { readonly headDim: number; readonly capacity: number },
): void {
  checkInstance(where, rope, Rope, 'createRope makes one');
  if (rope.device !== device) {
    throw new ForeignDeviceError(`${where}: expected one of the cache's device, got one of another`);
  }
  if (rope.headDim !== headDim) {
    throw new ShapeError(`${where}: expected one for a head dim of ${headDim}, got one for ${rope.headDim}`);
  }
  if (rope.positions < capacity) {
    throw new ShapeError(`${where}: expected at least ${capacity} positions, got ${rope.positions}`);
  }
  rope.range();
}

// runKernel.ts: runs one kernel on given arrays and reads its outputs back, with guards around every buffer.
import { createUniform, readBack, uploadStorage } from '../../src/device/buffers.ts';
import type { GqaDevice } from '../../src/device/gqaDevice.ts';
import { beginPass, bindKernel, dispatch, endPass } from '../../src/device/record.ts';
import { StepRing } from '../../src/device/ring.ts';
import { validated } from '../../src/device/scopes.ts';
import { bindingsOf } from '../../src/device/wgsl.ts';
import type { Grid, Kernel } from '../../src/kernels/kernel.ts';

/** What a buffer holds. */
export type Words = Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;

/** One dispatch. `outputs` gives the contents that each read_write buffer starts from, and thereby its length. */
export interface KernelRun {
  readonly kernel: Kernel;
  readonly grid: Grid;
  readonly inputs: Readonly<Record<string, Words>>;
  readonly outputs: Readonly<Record<string, Words>>;
  /** Words of the `step` binding, for kernels that have one. */
  readonly step?: Uint32Array<ArrayBuffer>;
}

/** A number no kernel computes: what outputs start from. */
export const SENTINEL = -123456.789;

/** An output of `count` f32, all SENTINEL. */
export function unwritten(count: number): Float32Array<ArrayBuffer> {
  return new Float32Array(count).fill(SENTINEL);
}

// Behind each buffer, within its binding: NaN as f32, as two f16 and as f64, so that a read past the end shows in a
// result and a write past the end shows in the guard. Binding the data alone would let robustness hide both.
const GUARD_WORD = 0x7fc07fc0;
const GUARD_WORDS = 64;

/**
 * Runs a kernel and returns its outputs by name. Throws when it wrote behind one of them, when a buffer is neither
 * among inputs and outputs nor declared by the kernel, or when WebGPU reports an error.
 */
export async function runKernel(device: GqaDevice, run: KernelRun): Promise<Record<string, Words>> {
  checkAccess(run);
  const compiled = await device.pipelines.get(run.kernel);
  const made: { destroy(): void }[] = [];
  try {
    const buffers: Record<string, { buffer: GPUBuffer; offset: number; size: number } | StepRing> = {};
    const uniforms = new Set(
      bindingsOf(run.kernel.source).flatMap((each) => (each.access === 'uniform' ? each.name : [])),
    );
    for (const [name, data] of Object.entries({ ...run.inputs, ...run.outputs })) {
      const words = guarded(data);
      const buffer = uniforms.has(name)
        ? createUniform(device, name, words)
        : uploadStorage(device, name, words);
      made.push(buffer);
      buffers[name] = { buffer, offset: 0, size: buffer.size };
    }
    const step = run.step && placeStep(device, run.step);
    if (step) {
      made.push(step.ring);
      buffers.step = step.ring;
    }
    await validated(device, run.kernel.name, () => {
      const bound = bindKernel(device.gpu, compiled, buffers);
      const encoder = device.gpu.createCommandEncoder({ label: run.kernel.name });
      const pass = beginPass(run.kernel.name, device, encoder);
      dispatch(pass, bound, run.grid, step?.offset);
      endPass(encoder, pass);
      device.gpu.queue.submit([encoder.finish()]);
    });
    const results: Record<string, Words> = {};
    for (const [name, start] of Object.entries(run.outputs)) {
      const { buffer } = buffers[name] as { buffer: GPUBuffer };
      results[name] = unguarded(`${run.kernel.name}: ${name}`, await readBack(device, buffer), start);
    }
    return results;
  } finally {
    for (const resource of made) resource.destroy();
  }
}

/** Inputs must be bindings that the kernel only reads, outputs those it writes. */
function checkAccess({ kernel, inputs, outputs }: KernelRun): void {
  for (const { name, access } of bindingsOf(kernel.source)) {
    const list = access === 'read_write' ? outputs : inputs;
    if (name !== 'step' && !(name in list))
      throw new Error(`${kernel.name}: ${access} binding ${name} is not given`);
  }
}

function guarded(data: Words): Uint32Array<ArrayBuffer> {
  const dataBytes = Math.ceil(data.byteLength / 16) * 16;
  const bytes = new Uint32Array(dataBytes / 4 + GUARD_WORDS).fill(GUARD_WORD);
  new Uint8Array(bytes.buffer).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return bytes;
}

function unguarded(where: string, bytes: ArrayBuffer, like: Words): Words {
  const guard = new Uint8Array(bytes, like.byteLength);
  const pattern = new Uint8Array(Uint32Array.of(GUARD_WORD).buffer);
  const written = guard.findIndex((byte, i) => byte !== pattern[(like.byteLength + i) % 4]);
  if (written >= 0) throw new Error(`${where}: byte ${written} behind its end was written`);
  const Type = like.constructor as new (buffer: ArrayBuffer, offset: number, length: number) => Words;
  return new Type(bytes, 0, like.length);
}

/** A ring whose first slot holds other numbers, so that a kernel bound without its offset shows. */
function placeStep(device: GqaDevice, words: Uint32Array<ArrayBuffer>): { ring: StepRing; offset: number } {
  const ring = new StepRing(device, 'step', words.length);
  ring.place(new Uint32Array(words.length).fill(GUARD_WORD));
  return { ring, offset: ring.place(words) };
}

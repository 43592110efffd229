// record.ts: binds buffers to a compiled kernel by the names its WGSL declares, and records dispatches.
import type { BufferRange } from './buffers.ts';
import { checkTarget, isEncoder, type RecordTarget } from './encoders.ts';
import type { GqaDevice } from './gqaDevice.ts';
import { STEP_BINDING, type CompiledKernel } from './pipelines.ts';
import type { StepRing } from './ring.ts';

export type { RecordTarget } from './encoders.ts';

type Buffers = Readonly<Record<string, BufferRange | StepRing>>;

/** A kernel with its buffers bound; recording it creates no GPU object, but when the ring has a new buffer. */
export class BoundKernel {
  readonly name: string;
  readonly pipeline: GPUComputePipeline;
  readonly #bind: () => GPUBindGroup;
  readonly #ring: StepRing | undefined;
  #group: GPUBindGroup;
  #ringBuffer: GPUBuffer | undefined;

  /** @internal Use bindKernel. */
  constructor({ name, pipeline }: CompiledKernel, ring: StepRing | undefined, bind: () => GPUBindGroup) {
    this.name = name;
    this.pipeline = pipeline;
    this.#bind = bind;
    this.#ring = ring;
    this.#ringBuffer = ring?.buffer;
    this.#group = bind();
  }

  /** The bind group, which holds the buffer that the ring's latest offset refers to. */
  group(): GPUBindGroup {
    const ringBuffer = this.#ring?.buffer;
    if (ringBuffer !== this.#ringBuffer) {
      this.#ringBuffer = ringBuffer;
      this.#group = this.#bind();
    }
    return this.#group;
  }
}

/** Those of the buffers that the kernel declares. */
export function declaredOf<T extends Buffers>(kernel: CompiledKernel, buffers: T): Partial<T> {
  const declared = namesOf(kernel);
  return Object.fromEntries(Object.entries(buffers).filter(([name]) => declared.has(name))) as Partial<T>;
}

/** Binds every buffer the kernel declares. A missing or unknown name throws: it is our own mistake, never the caller's. */
export function bindKernel(device: GPUDevice, kernel: CompiledKernel, buffers: Buffers): BoundKernel {
  const declared = namesOf(kernel);
  for (const name of Object.keys(buffers)) {
    if (!declared.has(name)) throw new Error(`${kernel.name}: no binding is called ${name}`);
  }
  for (const name of declared) {
    if (!buffers[name]) throw new Error(`${kernel.name}: binding ${name} got no buffer`);
  }
  const ring = buffers[STEP_BINDING] as StepRing | undefined;
  return new BoundKernel(kernel, ring, () => {
    const entries = kernel.bindings.map(({ name, index }) => ({
      binding: index,
      resource: name === STEP_BINDING ? stepResource(ring!) : (buffers[name] as BufferRange),
    }));
    return device.createBindGroup({ label: kernel.name, layout: kernel.layout, entries });
  });
}

function namesOf({ bindings }: CompiledKernel): Set<string> {
  return new Set(bindings.map(({ name }) => name));
}

function stepResource(ring: StepRing): BufferRange {
  return { buffer: ring.buffer, offset: 0, size: ring.slotBytes };
}

// A list, which Dawn's Node binding takes in three quarters of the time that a Uint32Array does.
const offsets = [0];

/**
 * Records one dispatch into a pass. `stepOffset` is where the ring has the step's numbers, left out for a kernel without a
 * `step` binding; nothing may be placed in the ring between that and this call.
 */
export function dispatch(
  pass: GPUComputePassEncoder,
  kernel: BoundKernel,
  grid: readonly [number, number, number],
  stepOffset?: number,
): void {
  pass.setPipeline(kernel.pipeline);
  if (stepOffset === undefined) pass.setBindGroup(0, kernel.group());
  else {
    offsets[0] = stepOffset;
    pass.setBindGroup(0, kernel.group(), offsets);
  }
  if (grid[1] === 1 && grid[2] === 1) pass.dispatchWorkgroups(grid[0]);
  else pass.dispatchWorkgroups(grid[0], grid[1], grid[2]);
}

const PASS = { label: 'gqa' };

/**
 * The caller's pass, or one opened on the caller's encoder. Give it back to `endPass`. Throws ShapeError for what is no open
 * encoder or compute pass, ForeignDeviceError for one of another device; nothing was recorded then.
 */
export function beginPass(where: string, device: GqaDevice, target: RecordTarget): GPUComputePassEncoder {
  checkTarget(where, device, target);
  return isEncoder(target) ? target.beginComputePass(PASS) : target;
}

/** Ends the pass if it was opened by `beginPass`. */
export function endPass(target: RecordTarget, pass: GPUComputePassEncoder): void {
  if (pass !== target) pass.end();
}

// record.ts: binds buffers to a compiled kernel by the names its WGSL declares, and records dispatches.
import type { BufferRange } from './buffers.ts';
import { STEP_BINDING, type CompiledKernel } from './pipelines.ts';
import type { StepRing } from './ring.ts';

/** Where to record: an encoder (a compute pass is opened and ended) or a compute pass of the caller's. */
export type RecordTarget = GPUCommandEncoder | GPUComputePassEncoder;

/** A kernel with its buffers bound; recording it creates no GPU object. */
export interface BoundKernel {
  readonly name: string;
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
}

/** Binds every buffer the kernel declares. A missing or unknown name throws: it is our own mistake, never the caller's. */
export function bindKernel(
  device: GPUDevice,
  kernel: CompiledKernel,
  buffers: Readonly<Record<string, BufferRange | StepRing>>,
): BoundKernel {
  const declared = new Set(kernel.bindings.map((b) => b.name));
  for (const name of Object.keys(buffers)) {
    if (!declared.has(name)) throw new Error(`${kernel.name}: no binding is called ${name}`);
  }
  const entries = kernel.bindings.map(({ name, index }) => {
    const given = buffers[name];
    if (!given) throw new Error(`${kernel.name}: binding ${name} got no buffer`);
    return {
      binding: index,
      resource: name === STEP_BINDING ? stepResource(given as StepRing) : (given as BufferRange),
    };
  });
  const group = device.createBindGroup({ label: kernel.name, layout: kernel.layout, entries });
  return { name: kernel.name, pipeline: kernel.pipeline, group };
}

function stepResource(ring: StepRing): BufferRange {
  return { buffer: ring.buffer, offset: 0, size: ring.slotBytes };
}

const offsets = new Uint32Array(1);

/**
 * Records one dispatch into a pass. `stepOffset` is the ring slot of the step's numbers, left out for a kernel
 * without a `step` binding.
 */
export function dispatch(
  pass: GPUComputePassEncoder,
  kernel: BoundKernel,
  grid: readonly [number, number, number],
  stepOffset?: number,
): void {
  offsets[0] = stepOffset ?? 0;
  pass.setPipeline(kernel.pipeline);
  pass.setBindGroup(0, kernel.group, offsets, 0, stepOffset === undefined ? 0 : 1);
  pass.dispatchWorkgroups(grid[0], grid[1], grid[2]);
}

const PASS = { label: 'gqa' };

/** The caller's pass, or one opened on the caller's encoder. Give it back to `endPass`. */
export function beginPass(target: RecordTarget): GPUComputePassEncoder {
  return 'beginComputePass' in target ? target.beginComputePass(PASS) : target;
}

/** Ends the pass if it was opened by `beginPass`. */
export function endPass(target: RecordTarget, pass: GPUComputePassEncoder): void {
  if (pass !== target) pass.end();
}

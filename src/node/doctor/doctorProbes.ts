// doctorProbes.ts: small experiments on a device: does it compute, how fine is its clock, does it start loop variables anew,
// which kernel suits it.
import { cacheLayout } from '../../cache/layout.ts';
import { chooseContext } from '../../decode/context.ts';
import { probedFacts } from '../../decode/probe.ts';
import { createStorage, readBack } from '../../device/buffers.ts';
import type { GqaDevice } from '../../device/gqaDevice.ts';
import { BUFFER_USAGE } from '../../device/usage.ts';
import { variantName } from '../../kernels/fused.ts';
import { checkShape } from '../../kernels/shape.ts';
import type { SubgroupReport } from '../../kernels/probe/subgroupProbe.ts';

/** Squares 256 numbers on the device; true when each of them is right. */
export async function computesRight(device: GqaDevice): Promise<boolean> {
  const count = 256;
  const result = await runShader(device, 'doctor squares', SQUARES, count);
  return result.every((value, i) => value === i * i + 7);
}

const SQUARES = `
@group(0) @binding(0) var<storage, read_write> result: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  result[id.x] = id.x * id.x + 7u;
}`;

/**
 * WGSL says that `var s: u32;` in a loop starts at zero in every round. Counts five rounds: 1 when that holds, 5 when
 * the variable keeps its value, as Dawn's SPIR-V does at the time of writing.
 */
export async function loopVariable(device: GqaDevice): Promise<number> {
  return (await runShader(device, 'doctor loop variable', LOOP_VARIABLE, 1))[0]!;
}

const LOOP_VARIABLE = `
@group(0) @binding(0) var<storage, read_write> result: array<u32>;
@compute @workgroup_size(1)
fn main() {
  for (var i = 0u; i < 5u; i++) {
    var s: u32;
    s += 1u;
    result[0] = s;
  }
}`;

/** Runs a shader with one output binding of `count` u32, 64 invocations per workgroup, and reads the output back. */
async function runShader(
  device: GqaDevice,
  label: string,
  code: string,
  count: number,
): Promise<Uint32Array> {
  const gpu = device.gpu;
  const module = gpu.createShaderModule({ label, code });
  const pipeline = await gpu.createComputePipelineAsync({ label, layout: 'auto', compute: { module } });
  const output = createStorage(device, label, count * 4);
  const layout = pipeline.getBindGroupLayout(0);
  const bindings = gpu.createBindGroup({
    label,
    layout,
    entries: [{ binding: 0, resource: { buffer: output } }],
  });
  const encoder = gpu.createCommandEncoder({ label });
  const pass = encoder.beginComputePass({ label });
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, bindings);
  pass.dispatchWorkgroups(Math.ceil(count / 64));
  pass.end();
  gpu.queue.submit([encoder.finish()]);
  const values = new Uint32Array(await readBack(device, output));
  output.destroy();
  return values;
}

const HEADS = { numKvHeads: 8, headDim: 128 } as const;
const ORDINARY = {
  shape: checkShape({ ...HEADS, numQHeads: 32 }),
  layout: cacheLayout({ ...HEADS, capacity: 4096, kType: 'f16' }),
};

/** The kernel that `auto` takes for one token of a model of 32 query and 8 KV heads, and what a probe saw of its subgroups. */
export async function kernelChoice(
  device: GqaDevice,
): Promise<{ kernel: string; subgroupProbe: SubgroupReport | undefined }> {
  const context = await chooseContext(device, ORDINARY.shape, ORDINARY.layout, {});
  const subgroupProbe = context.subgroups ?? (await probedFacts(device)).report;
  return { kernel: variantName(context.variant), subgroupProbe };
}

const STAMPS = 64;

/**
 * The step of the device's timestamps in nanoseconds: the greatest common divisor of the times between 64 of them.
 * Undefined when all are equal. The device needs the feature timestamp-query.
 */
export async function timestampStep(device: GqaDevice): Promise<number | undefined> {
  const label = 'doctor timestamps';
  const querySet = device.gpu.createQuerySet({ label, type: 'timestamp', count: STAMPS });
  const usage = BUFFER_USAGE.QUERY_RESOLVE | BUFFER_USAGE.COPY_SRC;
  const stamps = device.gpu.createBuffer({ label, size: STAMPS * 8, usage });
  const encoder = device.gpu.createCommandEncoder({ label });
  for (let i = 0; i < STAMPS; i += 2) {
    const timestampWrites = { querySet, beginningOfPassWriteIndex: i, endOfPassWriteIndex: i + 1 };
    encoder.beginComputePass({ label, timestampWrites }).end();
  }
  encoder.resolveQuerySet(querySet, 0, STAMPS, stamps, 0);
  device.gpu.queue.submit([encoder.finish()]);
  const step = stepOf(new BigUint64Array(await readBack(device, stamps)));
  stamps.destroy();
  querySet.destroy();
  return step;
}

/** The greatest common divisor of the differences of consecutive values; undefined when all values are equal. */
export function stepOf(stamps: BigUint64Array): number | undefined {
  let step = 0n;
  for (let i = 1; i < stamps.length; i++) {
    let [a, b] = [step, stamps[i]! - stamps[i - 1]!];
    if (b < 0n) b = -b;
    while (b > 0n) [a, b] = [b, a % b];
    step = a;
  }
  return step === 0n ? undefined : Number(step);
}

// compilerMessages.ts: what a device's WGSL compiler says of a kernel.
import type { GqaDevice } from '../../src/device/gqaDevice.ts';
import type { Kernel } from '../../src/kernels/kernel.ts';

/** Its errors, warnings and remarks, each with the kernel's name and line; empty when it has nothing to say. */
export async function compilerMessages(device: GPUDevice, kernel: Kernel): Promise<string[]> {
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ label: kernel.name, code: kernel.source });
  const scope = device.popErrorScope();
  const said = await messagesOf(kernel, module);
  await scope; // its message is among those of the compiler
  return said;
}

/** The same of a kernel that becomes a pipeline, and else why it becomes none. Compiled once: that takes most of the time. */
export async function pipelineMessages({ gpu, pipelines }: GqaDevice, kernel: Kernel): Promise<string[]> {
  let module: GPUShaderModule | undefined;
  const create = gpu.createShaderModule.bind(gpu);
  gpu.createShaderModule = (descriptor) => (module = create(descriptor));
  const compiled = pipelines.get(kernel).then(
    () => [],
    (error: unknown) => [String(error)],
  );
  gpu.createShaderModule = create;
  const said = module ? await messagesOf(kernel, module) : [];
  const failed = await compiled;
  return said.length > 0 ? said : failed;
}

async function messagesOf({ name }: Kernel, module: GPUShaderModule): Promise<string[]> {
  const { messages } = await module.getCompilationInfo();
  return messages.map((m) => `${name}:${m.lineNum}:${m.linePos}: ${m.type}: ${m.message}`);
}

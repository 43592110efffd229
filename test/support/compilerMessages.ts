// compilerMessages.ts: what a device's WGSL compiler says of a kernel.
import type { Kernel } from '../../src/kernels/kernel.ts';

/** Its errors, warnings and remarks, each with the kernel's name and line; empty when it has nothing to say. */
export async function compilerMessages(device: GPUDevice, { name, source }: Kernel): Promise<string[]> {
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ label: name, code: source });
  const scope = device.popErrorScope();
  const { messages } = await module.getCompilationInfo();
  await scope; // its message is among those of the compiler
  return messages.map((m) => `${name}:${m.lineNum}:${m.linePos}: ${m.type}: ${m.message}`);
}

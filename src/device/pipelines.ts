// pipelines.ts: compiles each distinct linked shader once, with an explicit bind group layout read from its text.
import { GpuError, messageOf, ShaderError } from './errors.ts';
import { SHADER_STAGE } from './usage.ts';
import { bindingsOf, type Binding } from './wgsl.ts';

/** A compiled kernel with what is needed to bind buffers to it by name. */
export interface CompiledKernel {
  readonly name: string;
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  readonly bindings: readonly Binding[];
}

/** The name of the one binding that takes a dynamic offset: the slot of a step's own numbers (see ring.ts). */
export const STEP_BINDING = 'step';

/** Cache of compiled kernels, keyed by the complete linked text. Two callers asking at once compile once. */
export class Pipelines {
  readonly #device: GPUDevice;
  readonly #compiled = new Map<string, Promise<CompiledKernel>>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Compiles a kernel or returns the compiled one. Throws ShaderError with the compiler's line and message. */
  get(kernel: { readonly name: string; readonly source: string }): Promise<CompiledKernel> {
    const known = this.#compiled.get(kernel.source);
    if (known) return known;
    const compiling = compile(this.#device, kernel.name, kernel.source).catch((error: unknown) => {
      this.#compiled.delete(kernel.source);
      throw error;
    });
    this.#compiled.set(kernel.source, compiling);
    return compiling;
  }
}

async function compile(device: GPUDevice, name: string, source: string): Promise<CompiledKernel> {
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ label: name, code: source });
  const bindings = bindingsOf(source);
  const layout = device.createBindGroupLayout({ label: name, entries: bindings.map(layoutEntry) });
  const [info, scopeError] = await Promise.all([module.getCompilationInfo(), device.popErrorScope()]);
  const fault = info.messages.find((m) => m.type === 'error');
  if (fault) throw new ShaderError(name, `line ${fault.lineNum}:${fault.linePos}: ${fault.message}`);
  if (scopeError) throw new ShaderError(name, scopeError.message);
  // A failed asynchronous pipeline rejects and does not reach an error scope; a failed module reaches the scope only.
  const pipeline = await device
    .createComputePipelineAsync({
      label: name,
      layout: device.createPipelineLayout({ label: name, bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: 'main' },
    })
    .catch((cause: unknown) => {
      throw new GpuError(`${name}: pipeline creation failed: ${messageOf(cause)}`, {
        cause,
      });
    });
  return { name, pipeline, layout, bindings };
}

const BUFFER_TYPES = { uniform: 'uniform', read: 'read-only-storage', read_write: 'storage' } as const;

function layoutEntry(binding: Binding): GPUBindGroupLayoutEntry {
  return {
    binding: binding.index,
    visibility: SHADER_STAGE.COMPUTE,
    buffer: {
      type: BUFFER_TYPES[binding.access],
      hasDynamicOffset: binding.name === STEP_BINDING,
    },
  };
}

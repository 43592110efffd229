// webgpu.ts: WebGPU's types as the declarations name them: those of the user's project where it has them, else a compute part.
//
// TypeScript 6 and later have WebGPU in their DOM library, earlier ones in the package @webgpu/types, and a project for
// Node may have neither. A reference to @webgpu/types would clash with the DOM library of the first and miss the DOM in
// the last; names that nothing declares are errors, or `any` where errors in declarations are skipped. So each name is
// looked up among the project's global classes, and what stands here is taken where there is none. Sources write the
// global names; `npm run build` puts the import of this file into the declarations.

/** The instances of a global class, if the project knows it. */
export type Host<Name extends string, Otherwise> = typeof globalThis extends {
  readonly [K in Name]: { readonly prototype: infer Instance };
}
  ? Instance
  : Otherwise;

export type GPU = Host<'GPU', HostGpu>;
export type GPUAdapter = Host<'GPUAdapter', HostAdapter>;
export type GPUAdapterInfo = Host<'GPUAdapterInfo', HostAdapterInfo>;
export type GPUBindGroup = Host<'GPUBindGroup', Labelled>;
export type GPUBindGroupLayout = Host<'GPUBindGroupLayout', Labelled>;
export type GPUBuffer = Host<'GPUBuffer', HostBuffer>;
export type GPUCommandBuffer = Host<'GPUCommandBuffer', Labelled>;
export type GPUCommandEncoder = Host<'GPUCommandEncoder', HostCommandEncoder>;
export type GPUComputePassEncoder = Host<'GPUComputePassEncoder', HostComputePassEncoder>;
export type GPUComputePipeline = Host<'GPUComputePipeline', HostComputePipeline>;
export type GPUDevice = Host<'GPUDevice', HostDevice>;
export type GPUError = Host<'GPUError', HostError>;
export type GPUQuerySet = Host<'GPUQuerySet', Destroyable>;
export type GPUQueue = Host<'GPUQueue', HostQueue>;
export type GPUShaderModule = Host<'GPUShaderModule', Labelled>;

export type GPUDeviceDescriptor = NonNullable<Parameters<GPUAdapter['requestDevice']>[0]>;
export type GPURequestAdapterOptions = NonNullable<Parameters<GPU['requestAdapter']>[0]>;
export type GPUErrorFilter = 'validation' | 'out-of-memory' | 'internal';
export type GPUPowerPreference = 'low-power' | 'high-performance';
export type GPUFeatureName =
  NonNullable<GPUDeviceDescriptor['requiredFeatures']> extends Iterable<infer Name> ? Name : string;

export interface Labelled {
  label: string;
}

export interface Destroyable extends Labelled {
  destroy(): undefined;
}

export interface HostError {
  readonly message: string;
}

export interface HostGpu {
  requestAdapter(options?: {
    powerPreference?: GPUPowerPreference;
    forceFallbackAdapter?: boolean;
  }): Promise<GPUAdapter | null>;
  readonly wgslLanguageFeatures: ReadonlySet<string>;
}

export interface HostAdapter {
  readonly features: ReadonlySet<string>;
  readonly limits: HostLimits;
  readonly info: GPUAdapterInfo;
  requestDevice(descriptor?: {
    label?: string;
    requiredFeatures?: Iterable<string>;
    requiredLimits?: Record<string, number | undefined>;
  }): Promise<GPUDevice>;
}

export interface HostAdapterInfo {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  readonly subgroupMinSize: number;
  readonly subgroupMaxSize: number;
  readonly isFallbackAdapter: boolean;
}

export interface HostLimits {
  readonly maxBindGroups: number;
  readonly maxStorageBuffersPerShaderStage: number;
  readonly maxStorageBufferBindingSize: number;
  readonly maxBufferSize: number;
  readonly minStorageBufferOffsetAlignment: number;
  readonly maxComputeWorkgroupStorageSize: number;
  readonly maxComputeInvocationsPerWorkgroup: number;
  readonly maxComputeWorkgroupSizeX: number;
  readonly maxComputeWorkgroupsPerDimension: number;
}

export interface HostDevice extends Destroyable {
  readonly features: ReadonlySet<string>;
  readonly limits: HostLimits;
  readonly adapterInfo: GPUAdapterInfo;
  readonly queue: GPUQueue;
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  createBuffer(descriptor: {
    label?: string;
    size: number;
    usage: number;
    mappedAtCreation?: boolean;
  }): GPUBuffer;
  createShaderModule(descriptor: { label?: string; code: string }): GPUShaderModule;
  createComputePipelineAsync(descriptor: {
    label?: string;
    layout: 'auto';
    compute: { module: GPUShaderModule; entryPoint?: string; constants?: Record<string, number> };
  }): Promise<GPUComputePipeline>;
  createBindGroup(descriptor: {
    label?: string;
    layout: GPUBindGroupLayout;
    entries: Iterable<{ binding: number; resource: { buffer: GPUBuffer; offset?: number; size?: number } }>;
  }): GPUBindGroup;
  createQuerySet(descriptor: { label?: string; type: 'timestamp'; count: number }): GPUQuerySet;
  createCommandEncoder(descriptor?: { label?: string }): GPUCommandEncoder;
  pushErrorScope(filter: 'validation' | 'out-of-memory' | 'internal'): undefined;
  popErrorScope(): Promise<{ readonly message: string } | null>;
}

export interface HostQueue extends Labelled {
  submit(commandBuffers: Iterable<GPUCommandBuffer>): undefined;
  onSubmittedWorkDone(): Promise<undefined>;
  writeBuffer(
    buffer: GPUBuffer,
    bufferOffset: number,
    data: ArrayBufferView<ArrayBuffer> | ArrayBuffer,
    dataOffset?: number,
    size?: number,
  ): undefined;
}

export interface HostBuffer extends Destroyable {
  readonly size: number;
  readonly usage: number;
  readonly mapState: 'unmapped' | 'pending' | 'mapped';
  mapAsync(mode: number, offset?: number, size?: number): Promise<undefined>;
  getMappedRange(offset?: number, size?: number): ArrayBuffer;
  unmap(): undefined;
}

export interface HostCommandEncoder extends Labelled {
  beginComputePass(descriptor?: {
    label?: string;
    timestampWrites?: {
      querySet: GPUQuerySet;
      beginningOfPassWriteIndex?: number;
      endOfPassWriteIndex?: number;
    };
  }): GPUComputePassEncoder;
  copyBufferToBuffer(
    source: GPUBuffer,
    sourceOffset: number,
    destination: GPUBuffer,
    destinationOffset: number,
    size: number,
  ): undefined;
  clearBuffer(buffer: GPUBuffer, offset?: number, size?: number): undefined;
  resolveQuerySet(
    querySet: GPUQuerySet,
    firstQuery: number,
    queryCount: number,
    destination: GPUBuffer,
    destinationOffset: number,
  ): undefined;
  finish(descriptor?: { label?: string }): GPUCommandBuffer;
}

export interface HostComputePassEncoder extends Labelled {
  setPipeline(pipeline: GPUComputePipeline): undefined;
  setBindGroup(index: number, bindGroup: GPUBindGroup | null, dynamicOffsets?: Iterable<number>): undefined;
  dispatchWorkgroups(x: number, y?: number, z?: number): undefined;
  dispatchWorkgroupsIndirect(buffer: GPUBuffer, offset: number): undefined;
  end(): undefined;
}

export interface HostComputePipeline extends Labelled {
  getBindGroupLayout(index: number): GPUBindGroupLayout;
}

// gqaDevice.ts: a GPUDevice, our own or borrowed, with what the library keeps beside it: facts, pipelines, errors.
import { DestroyedError, DeviceLostError, GpuError, LimitExceededError, NoAdapterError } from './errors.ts';
import { checkDevice, checkGpu } from './hostObjects.ts';
import { Pipelines } from './pipelines.ts';
import { fullRequest } from './request.ts';

/** What planning needs to know of a device; plain data, so that plans can be made and tested without one. */
export interface DeviceFacts {
  /** A CPU pretends to be a GPU (lavapipe, SwiftShader, WARP). */
  readonly software: boolean;
  /** As the adapter says, in lower case; browsers may leave it empty. */
  readonly vendor: string;
  /** The feature, and the WGSL builtins that the kernels need with it. */
  readonly subgroups: boolean;
  readonly subgroupMinSize: number;
  readonly subgroupMaxSize: number;
  /** Rows, columns and depth of its subgroup matrices of f16 with sums of f32; 0 where it has none of 8 or 16 alike. */
  readonly matrixUnit: number;
  readonly maxInvocations: number;
  readonly maxWorkgroupStorage: number;
  readonly maxBindingBytes: number;
  readonly maxBufferBytes: number;
  /** Most workgroups of a dispatch in one dimension. */
  readonly maxGrid: number;
}

export interface OpenOptions {
  /**
   * Features and limits to ask the adapter for. Default: subgroups, where it has them, and its limits of buffers and
   * workgroups. `deviceDescriptor` asks for no larger buffers than a shape needs.
   */
  readonly descriptor?: (adapter: GPUAdapter) => GPUDeviceDescriptor;
  /** Which of several GPUs, `low-power` or `high-performance`. Default: the host's choice. */
  readonly powerPreference?: GPUPowerPreference;
}

// Dawn's Node binding crashes the process when a GPU, adapter or device object becomes unreachable while one of its
// promises is pending; whatever we open is held here until it is destroyed.
const alive = new Set<object>();

/** What a host's WGSL knows: the type of `gpu.wgslLanguageFeatures`, or any set of names. */
export type WgslLanguageFeatures = Pick<ReadonlySet<string>, 'has'>;

/** A device to run kernels on. Owned ones are destroyed by `destroy()`, borrowed ones are left as they are. */
export class GqaDevice {
  readonly device: GPUDevice;
  readonly owned: boolean;
  readonly facts: DeviceFacts;
  /** @internal The compiled kernels. */
  readonly pipelines: Pipelines;
  /** Resolves once, when the device is lost, with the error that every later call throws. Never rejects. */
  readonly lost: Promise<DeviceLostError>;
  #lostError: DeviceLostError | undefined;
  #destroyed = false;
  readonly #uncaptured: GpuError[] = [];
  readonly #onError = (event: GPUUncapturedErrorEvent) => {
    event.preventDefault();
    this.#uncaptured.push(new GpuError(cleanMessage(event.error.message), { cause: event.error }));
  };

  /** @internal Use openDevice or borrowDevice. */
  constructor(device: GPUDevice, owned: boolean, languageFeatures?: WgslLanguageFeatures) {
    this.device = device;
    this.owned = owned;
    this.facts = factsOf(device, languageFeatures?.has('subgroup_id') ?? true);
    this.pipelines = new Pipelines(device);
    this.lost = device.lost.then((info) => {
      this.#lostError = new DeviceLostError(info.reason, cleanMessage(info.message));
      return this.#lostError;
    });
    // A borrowed device's errors belong to its owner's handlers; ours are the caller's only way to hear of them.
    if (owned) device.addEventListener('uncapturederror', this.#onError);
  }

  /** Throws when the device was destroyed or lost, or an error was reported since the last call. */
  assertUsable(): void {
    if (this.#destroyed) throw new DestroyedError('the device');
    if (this.#lostError) throw this.#lostError;
    const error = this.#uncaptured.shift();
    if (error) throw error;
  }

  /** Waits for all submitted work, then throws what went wrong in it, if anything did. */
  async idle(): Promise<void> {
    this.assertUsable();
    await this.device.queue.onSubmittedWorkDone();
    this.assertUsable();
  }

  /** Destroys an owned device; a borrowed one stays as it is. Idempotent. Later calls on this object throw. */
  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    if (!this.owned) return;
    this.device.removeEventListener('uncapturederror', this.#onError);
    this.device.destroy();
    void this.lost.then(() => alive.delete(this));
  }

  [Symbol.dispose](): void {
    this.destroy();
  }
}

/**
 * Opens a device of our own from a host's GPU object: `navigator.gpu` in a browser, the `gpu` of `nodeGpu()` in Node.
 * Throws NoAdapterError when the host has no WebGPU (`gpu` is undefined then) or no adapter.
 */
export async function openDevice(gpu: GPU | null | undefined, options: OpenOptions = {}): Promise<GqaDevice> {
  checkGpu('openDevice', gpu);
  const adapter = await gpu.requestAdapter(
    options.powerPreference ? { powerPreference: options.powerPreference } : undefined,
  );
  if (!adapter)
    throw new NoAdapterError('openDevice: requestAdapter() found no WebGPU adapter on this machine');
  const device = await adapter.requestDevice((options.descriptor ?? fullRequest)(adapter));
  const opened = new GqaDevice(device, true, gpu.wgslLanguageFeatures);
  alive.add(opened);
  keepWith.set(opened, [gpu, adapter]);
  return opened;
}

const keepWith = new WeakMap<GqaDevice, readonly object[]>();

/**
 * Wraps a device the caller made. It is never destroyed by us, and its error handlers stay the caller's. `languageFeatures`
 * is the host's `gpu.wgslLanguageFeatures`: where it lacks `subgroup_id`, kernels do without subgroups. Default: it has it.
 */
export function borrowDevice(device: GPUDevice, languageFeatures?: WgslLanguageFeatures): GqaDevice {
  checkDevice('borrowDevice', device);
  return new GqaDevice(device, false, languageFeatures);
}

/** Is this adapter or device a software renderer? By WebGPU's own flag, else by the names such renderers go by. */
export function isSoftware(info: GPUAdapterInfo): boolean {
  const names = `${info.vendor} ${info.architecture} ${info.device} ${info.description}`;
  return info.isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|software|basic render/i.test(names);
}

function factsOf(device: GPUDevice, hasSubgroupId: boolean): DeviceFacts {
  const { limits, features, adapterInfo } = device;
  return {
    software: isSoftware(adapterInfo),
    vendor: adapterInfo.vendor,
    subgroups: features.has('subgroups') && hasSubgroupId,
    subgroupMinSize: adapterInfo.subgroupMinSize ?? 4,
    subgroupMaxSize: adapterInfo.subgroupMaxSize ?? 128,
    matrixUnit: matrixUnitOf(device),
    maxInvocations: Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX),
    maxWorkgroupStorage: limits.maxComputeWorkgroupStorageSize,
    maxBindingBytes: limits.maxStorageBufferBindingSize,
    maxBufferBytes: limits.maxBufferSize,
    maxGrid: limits.maxComputeWorkgroupsPerDimension,
  };
}

/** One kind of matrices that an adapter offers; Dawn's experimental extension of GPUAdapterInfo. */
interface SubgroupMatrixConfig {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

export const MATRIX_FEATURE = 'chromium-experimental-subgroup-matrix' as GPUFeatureName;

function matrixUnitOf({ features, adapterInfo }: GPUDevice): number {
  if (![MATRIX_FEATURE, 'shader-f16', 'subgroups'].every((name) => features.has(name))) return 0;
  const { subgroupMatrixConfigs = [] } = adapterInfo as {
    subgroupMatrixConfigs?: readonly SubgroupMatrixConfig[];
  };
  const config = subgroupMatrixConfigs.find(
    ({ componentType, resultComponentType, M, N, K }) =>
      componentType === 'f16' && resultComponentType === 'f32' && M === N && N === K && (M === 8 || M === 16),
  );
  return config?.M ?? 0;
}

/** Throws LimitExceededError when a storage buffer of `bytes` could not be made or bound whole. */
export function checkBufferBytes(facts: DeviceFacts, where: string, bytes: number): void {
  if (bytes > facts.maxBindingBytes) {
    throw new LimitExceededError(where, 'maxStorageBufferBindingSize', bytes, facts.maxBindingBytes);
  }
  if (bytes > facts.maxBufferBytes) {
    throw new LimitExceededError(where, 'maxBufferSize', bytes, facts.maxBufferBytes);
  }
}

/** Dawn ends some messages with NUL bytes. */
function cleanMessage(message: string): string {
  return message.replaceAll('\0', '').trim();
}

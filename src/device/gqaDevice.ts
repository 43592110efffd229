// gqaDevice.ts: a GPUDevice, our own or borrowed, with what the library keeps beside it: facts, pipelines, errors.
import { factsOf, type DeviceFacts } from './deviceFacts.ts';
import { watchEncoders } from './encoders.ts';
import { ErrorLog } from './errorLog.ts';
import {
  DestroyedError,
  DeviceLostError,
  GpuError,
  type GqaError,
  messageOf,
  NoAdapterError,
  ShapeError,
} from './errors.ts';
import { checkGpu, checkGpuDevice } from './hostObjects.ts';
import {
  checkFunction,
  checkInstance,
  checkOneOf,
  checkOptions,
  describe,
  isObject,
  type Known,
} from './options.ts';
import { Pipelines } from './pipelines.ts';
import { fullRequest } from './request.ts';

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
// promises is pending; whatever we open is held here, with what it came from, until it is destroyed.
const alive = new Map<GqaDevice, readonly object[]>();

/** How long the host may take to say that the device was lost: long, for a busy machine, and only a call that failed waits. */
const SOON_MS = 2000;

/** What a host's WGSL knows: the type of `gpu.wgslLanguageFeatures`, or any set of names. */
export type WgslLanguageFeatures = Pick<ReadonlySet<string>, 'has'>;

/**
 * Asked by `idle()` once all submitted work is done: what went wrong in it that the device did not see, an error each.
 * It may read buffers back. What it has said it does not say again.
 */
export type IdleCheck = () => Promise<readonly GqaError[]>;

/** A device to run kernels on. Owned ones are destroyed by `destroy()`, borrowed ones are left as they are. */
export class GqaDevice {
  /** The GPUDevice itself. */
  readonly gpu: GPUDevice;
  readonly owned: boolean;
  readonly facts: DeviceFacts;
  /** @internal The compiled kernels. */
  readonly pipelines: Pipelines;
  /** Resolves once, when the device is lost, with the error that every later call throws. Never rejects. */
  readonly lost: Promise<DeviceLostError>;
  #lostError: DeviceLostError | undefined;
  #destroyed = false;
  readonly #errors = new ErrorLog();
  readonly #idleChecks = new Set<IdleCheck>();
  readonly #onError = (event: GPUUncapturedErrorEvent) => {
    event.preventDefault();
    this.#errors.add(cleanMessage(event.error.message), event.error);
  };

  /** @internal Use openDevice or borrowDevice. */
  constructor(device: GPUDevice, owned: boolean, languageFeatures?: WgslLanguageFeatures) {
    this.gpu = device;
    this.owned = owned;
    this.facts = factsOf(device, languageFeatures?.has('subgroup_id') ?? true);
    this.pipelines = new Pipelines(device);
    watchEncoders(device);
    this.lost = device.lost.then((info) => {
      this.#lostError = new DeviceLostError(info.reason, cleanMessage(info.message));
      return this.#lostError;
    });
    // A borrowed device's errors belong to its owner's handlers; ours are the caller's only way to hear of them.
    if (owned) device.addEventListener('uncapturederror', this.#onError);
  }

  /**
   * Throws when the device was destroyed or lost, or errors were reported since the last call: one GpuError tells of all.
   */
  assertUsable(): void {
    this.assertAlive();
    const error = this.#errors.take();
    if (error) throw error;
  }

  /** @internal Throws when the device was destroyed or lost, and leaves what it reported to the next call. */
  assertAlive(): void {
    if (this.#destroyed) throw new DestroyedError('the device');
    if (this.#lostError) throw this.#lostError;
  }

  /**
   * Waits for all submitted work, then throws what went wrong in it, if anything did: one GpuError tells of all. Where a
   * cache alone has something to say, also one that was destroyed since, it is a NotFiniteError or a NotExecutedError. Work
   * that was recorded and may still be submitted is not waited for, and nothing is said of it.
   */
  async idle(): Promise<void> {
    this.assertAlive();
    await this.gpu.queue.onSubmittedWorkDone();
    await this.#errorsReported();
    this.assertAlive();
    const found = (await Promise.all(Array.from(this.#idleChecks, (check) => check()))).flat();
    const [first, ...others] = found;
    if (first && others.length === 0 && this.#errors.empty) throw first;
    for (const each of found) this.#errors.add(each.message, each);
    this.assertUsable();
  }

  /** Waits until errors of earlier calls have come: browsers may report them after the work is done, but in order. */
  async #errorsReported(): Promise<void> {
    this.gpu.pushErrorScope('validation');
    await this.gpu.popErrorScope().catch(() => null); // rejects when the device was lost, which is said elsewhere
  }

  /** @internal Waits a moment for the host to say that the device was lost, which comes a little after calls fail. */
  async lostSoon(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const later = new Promise((resolve) => (timer = setTimeout(resolve, SOON_MS)));
    await Promise.race([this.lost, later]);
    clearTimeout(timer);
  }

  /** @internal Has `idle()` ask `check` too, until the function that is returned is called. */
  onIdle(check: IdleCheck): () => void {
    this.#idleChecks.add(check);
    return () => void this.#idleChecks.delete(check);
  }

  /** @internal Has the next `idle()` wait for what something that was destroyed found at its end, and throw it. */
  onNextIdle(found: Promise<readonly GqaError[]>): void {
    const stop = this.onIdle(() => {
      stop();
      return found;
    });
    void found.then((errors) => errors.length === 0 && stop());
  }

  /** @internal A sentence for every error that is reported from now on: what may be wrong after it, and what to do. */
  advise(advice: string): void {
    this.#errors.advise(advice);
  }

  /** Destroys an owned device; a borrowed one stays as it is. Idempotent. Later calls on this object throw. */
  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    if (!this.owned) return;
    this.gpu.removeEventListener('uncapturederror', this.#onError);
    this.gpu.destroy();
    void this.lost.then(() => alive.delete(this));
  }

  [Symbol.dispose](): void {
    this.destroy();
  }
}

const OPEN_OPTIONS = { descriptor: true, powerPreference: true } satisfies Known<OpenOptions>;

/**
 * Opens a device of our own from a host's GPU object: `navigator.gpu` in a browser, the `gpu` of `nodeGpu()` in Node.
 * Throws NoAdapterError when the host has no WebGPU (`gpu` is undefined then) or no adapter, GpuError when the adapter
 * refuses what the descriptor asks for.
 */
export async function openDevice(gpu: GPU | null | undefined, options: OpenOptions = {}): Promise<GqaDevice> {
  checkGpu('openDevice', gpu);
  checkOptions('openDevice', options, OPEN_OPTIONS);
  const { descriptor = fullRequest, powerPreference } = options;
  checkFunction('openDevice: descriptor', descriptor);
  if (powerPreference !== undefined)
    checkOneOf('openDevice: powerPreference', powerPreference, POWER_PREFERENCES);
  const adapter = await gpu.requestAdapter(powerPreference ? { powerPreference } : undefined);
  if (!adapter)
    throw new NoAdapterError('openDevice: requestAdapter() found no WebGPU adapter on this machine');
  const wanted = descriptor(adapter);
  const device = await adapter.requestDevice(wanted).catch((cause: unknown) => {
    throw new GpuError(`openDevice: the adapter refused the device: ${messageOf(cause)}`, { cause });
  });
  const opened = new GqaDevice(device, true, gpu.wgslLanguageFeatures);
  alive.set(opened, [gpu, adapter]);
  return opened;
}

const POWER_PREFERENCES: readonly GPUPowerPreference[] = ['low-power', 'high-performance'];

/**
 * Wraps a device the caller made. It is never destroyed by us, and its error handlers stay the caller's: WebGPU's errors about
 * work recorded here come to them, and then tokens may be counted that were never appended (`KvCache.truncate`).
 * `createCommandEncoder` of the device and `submit` of its queue are wrapped, to know its encoders from those of another, and
 * what was submitted. `languageFeatures` is the
 * host's `gpu.wgslLanguageFeatures`: where it lacks `subgroup_id`, kernels do without subgroups. Default: it has it.
 */
export function borrowDevice(device: GPUDevice, languageFeatures?: WgslLanguageFeatures): GqaDevice {
  checkGpuDevice('borrowDevice', device);
  if (languageFeatures !== undefined) {
    checkHas('borrowDevice: languageFeatures', languageFeatures, 'has', 'a set of names');
  }
  return new GqaDevice(device, false, languageFeatures);
}

function checkHas<T>(where: string, value: T, method: keyof T & string, expected: string): void {
  if (isObject(value) && typeof value[method] === 'function') return;
  throw new ShapeError(`${where}: expected ${expected}, got ${describe(value)}`);
}

/** Throws ShapeError unless `device` is a GqaDevice. */
export function checkDevice(where: string, device: GqaDevice): void {
  checkInstance(where, device, GqaDevice, 'openDevice() and borrowDevice() give one');
}

/** Dawn ends some messages with NUL bytes. */
function cleanMessage(message: string): string {
  return message.replaceAll('\0', '').trim();
}

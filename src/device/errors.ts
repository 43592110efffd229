// errors.ts: the typed errors of the library. Every message says where, what was expected and what was given.

/** Base class. `code` and `name` are stable across releases, also in minified bundles; match on them rather than on the message. */
export class GqaError extends Error {
  override readonly name: string = 'GqaError';
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** What a caught value says: of anything may be thrown, not errors alone. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Says which whole numbers are meant. The bound of what a number holds is named only to a `given` one that is past it. */
export function wholeText(min: number, max = Number.MAX_SAFE_INTEGER, given?: unknown): string {
  if (min === max) return String(min);
  if (max < Number.MAX_SAFE_INTEGER) return `a whole number from ${min} to ${max}`;
  if (typeof given === 'number' && given > Number.MAX_SAFE_INTEGER) return 'a whole number below 2^53';
  if (min === 1) return 'a positive whole number';
  return min === 0 ? 'zero or a positive whole number' : `a whole number of at least ${min}`;
}

/** The caller's numbers are wrong: a shape, a length, an option. */
export class ShapeError extends GqaError {
  override readonly name: string = 'ShapeError';
  constructor(message: string) {
    super('shape', message);
  }
}

/** The adapter or device lacks a feature. */
export class FeatureMissingError extends GqaError {
  override readonly name: string = 'FeatureMissingError';
  readonly feature: string;
  constructor(feature: string, message: string) {
    super('feature-missing', message);
    this.feature = feature;
  }
}

/** A shape needs more of a limit than the adapter or device has. `needed` and `available` are in the limit's own unit. */
export class LimitExceededError extends GqaError {
  override readonly name: string = 'LimitExceededError';
  readonly limit: string;
  readonly needed: number;
  readonly available: number;
  /** @param hint what would fit, where that is known; it stands behind the numbers in the message */
  constructor(where: string, limit: string, needed: number, available: number, hint?: string) {
    const numbers = `${where}: ${limit} needed ${needed}, available ${available}`;
    super('limit-exceeded', hint === undefined ? numbers : `${numbers}; ${hint}`);
    this.limit = limit;
    this.needed = needed;
    this.available = available;
  }
}

/** No WebGPU implementation or adapter could be had. The message is the problem and, in a line of its own, the hint. */
export class NoAdapterError extends GqaError {
  override readonly name: string = 'NoAdapterError';
  /** What is missing, without the hint. */
  readonly problem: string;
  /** What to do about it, where that is known. */
  readonly hint: string | undefined;
  constructor(problem: string, { hint, ...options }: ErrorOptions & { readonly hint?: string } = {}) {
    super('no-adapter', hint === undefined ? problem : `${problem}\nFix: ${hint}`, options);
    this.problem = problem;
    this.hint = hint;
  }
}

/** A buffer belongs to another GPUDevice. */
export class ForeignDeviceError extends GqaError {
  override readonly name: string = 'ForeignDeviceError';
  constructor(message: string) {
    super('foreign-device', message);
  }
}

/** One of our shaders failed to compile on this device: kernel, line and the compiler's own message. */
export class ShaderError extends GqaError {
  override readonly name: string = 'ShaderError';
  constructor(kernel: string, detail: string) {
    super('shader', `${kernel}: ${detail}`);
  }
}

/** WebGPU validation or memory error reported by the device. */
export class GpuError extends GqaError {
  override readonly name: string = 'GpuError';
  constructor(message: string, options?: ErrorOptions) {
    super('gpu', message, options);
  }
}

/** NaN or infinity was appended to a cache as K or V: every step that reads it is wrong. */
export class NotFiniteError extends GqaError {
  override readonly name: string = 'NotFiniteError';
  constructor(message: string) {
    super('not-finite', message);
  }
}

/** Appends or forks were recorded and counted, but the device did not execute them: a cache holds fewer tokens than it says. */
export class NotExecutedError extends GqaError {
  override readonly name: string = 'NotExecutedError';
  constructor(message: string) {
    super('not-executed', message);
  }
}

/** A cache of pages has not as many free ones as new tokens take; nothing has changed. */
export class OutOfPagesError extends GqaError {
  override readonly name: string = 'OutOfPagesError';
  /** Pages that there are too few of. */
  readonly missing: number;
  constructor(missing: number, pages: number, pageSize: number) {
    super(
      'out-of-pages',
      `kv cache: ${missing} of its ${pages} pages of ${pageSize} tokens are missing for the new tokens`,
    );
    this.missing = missing;
  }
}

/** The device was lost; nothing made on it works any more. */
export class DeviceLostError extends GqaError {
  override readonly name: string = 'DeviceLostError';
  readonly reason: string;
  constructor(reason: string, message: string) {
    super('device-lost', `device lost (${reason}): ${message}`);
    this.reason = reason;
  }
}

/** Something was used after its `destroy()`. */
export class DestroyedError extends GqaError {
  override readonly name: string = 'DestroyedError';
  constructor(what: string) {
    super('destroyed', `${what} was destroyed and cannot be used any more`);
  }
}

// checkpointError.ts: the error of everything that reads and writes checkpoints, and values as its messages show them.
import { GqaError } from '../../device/errors.ts';
import { isRecord } from '../../device/options.ts';

/** A checkpoint breaks a rule of its format, or lacks what was asked of it. The message names file, tensor and rule. */
export class CheckpointError extends GqaError {
  override readonly name: string = 'CheckpointError';
  constructor(message: string, options?: ErrorOptions) {
    super('checkpoint', message, options);
  }
}

/** Throws a CheckpointError. */
export function fail(message: string, options?: ErrorOptions): never {
  throw new CheckpointError(message, options);
}

// Below: values for messages, bounded whatever a hostile header holds.

/** What a JSON value is. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return quote(value);
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return isRecord(value) ? 'an object' : String(value);
}

/** A name in quotes, escaped, cut after 100 characters. */
export function quote(name: string): string {
  return JSON.stringify(shorten(name));
}

/** Sizes in brackets. */
export function list(sizes: readonly number[]): string {
  return `[${shorten(sizes.join(', '))}]`;
}

/** At most 100 characters of a text. */
export function shorten(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

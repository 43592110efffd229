// errorLog.ts: errors that a device reported and nobody was told yet; they are told once, all in one error.
import { GpuError } from './errors.ts';

/** Most errors that are kept word for word; a loop that fails makes thousands. */
const KEPT = 8;

/** One error: the first in full, then the others, each of them once. */
export class ErrorLog {
  readonly #messages: string[] = [];
  readonly #advice = new Set<string>();
  #cause: unknown;
  #count = 0;

  /** Notes an error. The first one's `cause` becomes that of the error that tells of all. */
  add(message: string, cause?: unknown): void {
    if (this.#count++ === 0) this.#cause = cause;
    if (this.#messages.length < KEPT && !this.#messages.includes(message)) this.#messages.push(message);
  }

  /** Is there nothing to tell? */
  get empty(): boolean {
    return this.#count === 0;
  }

  /** A sentence for every later error: what may be wrong after one, and what to do. The same one is kept once. */
  advise(advice: string): void {
    this.#advice.add(advice);
  }

  /** The one error that tells of all, or nothing where there are none. The log is empty afterwards. */
  take(): GpuError | undefined {
    if (this.#count === 0) return undefined;
    const [first, ...others] = this.#messages;
    const more = this.#count - 1;
    const rest = more === 0 ? [] : [[`and ${more} more`, ...others].join('\n  ')];
    const message = [first, ...rest, ...this.#advice].join('\n');
    const error = new GpuError(message, { cause: this.#cause });
    this.#messages.length = 0;
    this.#count = 0;
    this.#cause = undefined;
    return error;
  }
}

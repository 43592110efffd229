// reportError.ts: what becomes of the error that ends a command.
import { CommanderError } from 'commander';
import { GqaError, NoAdapterError } from '../../device/errors.ts';
import { InterruptedError } from './interrupt.ts';
import { EXIT } from './usage.ts';

// What V8 says when there is no memory as large; where that can be known before, errors name what it was for.
const MEMORY = /^(Array buffer allocation failed|Invalid (typed array|array buffer|string) length)/;

/** Says on stderr what went wrong and returns the exit code. Commander has said its own errors itself. */
export function reportError(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode;

  if (error instanceof GqaError) {
    process.stderr.write(`error: ${error.message}\n`);
    if (error instanceof InterruptedError) return error.exitCode;
    return error instanceof NoAdapterError ? EXIT.noAdapter : EXIT.failure;
  }
  if (error instanceof RangeError && MEMORY.test(error.message)) {
    process.stderr.write(`error: not enough memory: ${error.message}\n`);
    return EXIT.failure;
  }
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  return EXIT.failure;
}

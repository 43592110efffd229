// runScript.ts: what the scripts have in common: errors as the commands report them, with their exit codes.
import { reportError } from '../src/node/command/reportError.ts';
import { watchStandardStreams } from '../src/node/command/standardStreams.ts';

/** Runs a script to its end. Never rejects. */
export async function runScript(script: () => unknown): Promise<void> {
  watchStandardStreams();
  try {
    await script();
  } catch (error) {
    process.exitCode = reportError(error);
  }
}

// standardStreams.ts: what becomes of output that a standard stream does not take.
import { fstatSync, writeSync } from 'node:fs';
import { EXIT } from './usage.ts';

/**
 * Makes a failed write to stdout one line on stderr and exit code 1, and one to stderr nothing: there is nowhere to say
 * it. `| head` closes the pipe when it has seen enough: what is still written then goes nowhere, and that is fine.
 */
export function watchStandardStreams(): void {
  if (process.stdout.listeners('error').includes(outputFailed)) return;
  process.stdout.on('error', outputFailed);
  process.stderr.on('error', () => {});
  // oxlint-disable-next-line no-underscore-dangle -- what a stream's implementation provides, by Node's own name
  if (fstatSync(process.stdout.fd).isFile()) process.stdout._write = writeWholeChunk;
}

/** Node's own takes a short write, on a disk that gets full, for a whole one. */
function writeWholeChunk(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error) => void): void {
  try {
    for (let at = 0; at < chunk.byteLength;) at += writeSync(process.stdout.fd, chunk, at);
    done();
  } catch (error) {
    done(error as Error);
  }
}

let said = false;

function outputFailed({ code, message }: NodeJS.ErrnoException): void {
  if (code === 'EPIPE' || said) return;
  said = true;
  process.stderr.write(`error: stdout could not be written: ${message}\n`);
  // At the end: the command that is under way has an exit code of its own to set.
  process.once('exit', () => (process.exitCode = process.exitCode || EXIT.failure));
}

// memory.ts: what is read whole: memory for it, and texts, with errors that say how much was asked for and what there is.
import { constants } from 'node:buffer';
import { readFileSync, statSync } from 'node:fs';

/** Most bytes that one piece of memory can have in this version of Node.js. */
export const MAX_BYTES = constants.MAX_LENGTH;

/** Throws an Error for more bytes than a piece of memory can have. */
export function checkBytes(bytes: number): void {
  if (bytes > MAX_BYTES)
    throw new Error(
      `needs ${bytes} bytes of memory in one piece, of which this Node.js has at most ${MAX_BYTES}`,
    );
}

/** Memory of that many bytes, zeros. Throws an Error where there is none as large. */
export function allocate(bytes: number): ArrayBuffer {
  checkBytes(bytes);
  try {
    return new ArrayBuffer(bytes);
  } catch (cause) {
    throw new Error(`needs ${bytes} bytes of memory, which there are not: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** The text of a file as UTF-8. Throws an Error, before it is read, for one that is longer than a text can be. */
export function readText(path: string): string {
  const { size } = statSync(path);
  if (size > constants.MAX_STRING_LENGTH * MOST_BYTES_A_UNIT)
    throw new Error(`has ${size} bytes, and a text can have ${constants.MAX_STRING_LENGTH} characters here`);
  return readFileSync(path, 'utf8');
}

/** UTF-8 has at most 3 bytes for a unit of UTF-16. */
const MOST_BYTES_A_UNIT = 3;

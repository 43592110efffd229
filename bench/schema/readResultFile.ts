// readResultFile.ts: a benchmark's result from a file that a person names.
import { parseResult } from './readResult.ts';
import type { StoredResult } from './storedSchema.ts';
import { GqaError } from '../../src/device/errors.ts';
import { readText } from '../../src/files/memory.ts';

/** Reads a result that `gqa bench` or the page wrote. Throws GqaError, naming the file. */
export function readResultFile(file: string): StoredResult {
  let text: string;
  try {
    text = readText(file);
  } catch (cause) {
    throw new GqaError('result', `${file}: expected a readable file: ${(cause as Error).message}`, { cause });
  }
  return parseResult(text, file);
}

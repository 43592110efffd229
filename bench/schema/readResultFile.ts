// readResultFile.ts: a benchmark's result from a file that a person names.
import { parseComparable, parseResult } from './readResult.ts';
import type { WholeResult } from './wholeSchema.ts';
import type { StoredResult } from './storedSchema.ts';
import { GqaError } from '../../src/device/errors.ts';
import { readText } from '../../src/files/memory.ts';

/** Reads a result that `gqa bench` or the page wrote. Throws GqaError, naming the file. */
export function readResultFile(file: string): StoredResult {
  return parseResult(textOf(file), file);
}

/** The same, or one of `gqa bench --whole`. */
export function readComparableFile(file: string): StoredResult | WholeResult {
  return parseComparable(textOf(file), file);
}

function textOf(file: string): string {
  try {
    return readText(file);
  } catch (cause) {
    throw new GqaError('result', `${file}: expected a readable file: ${(cause as Error).message}`, { cause });
  }
}

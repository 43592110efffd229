// readResultFile.ts: a benchmark's result from a file that a person names.
import { readFileSync } from 'node:fs';
import { parseResult, type StoredResult } from './readResult.ts';
import { GqaError } from '../../src/device/errors.ts';

/** Reads a result that `gqa bench` or the page wrote. Throws GqaError, naming the file. */
export function readResultFile(file: string): StoredResult {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new GqaError('result', `${file}: expected a readable file: ${(cause as Error).message}`, { cause });
  }
  return parseResult(text, file);
}

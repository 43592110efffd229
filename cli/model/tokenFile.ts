// tokenFile.ts: texts and lists of tokens that a command is given as files.
import { readFile } from 'node:fs/promises';
import { GqaError, messageOf } from '../../src/device/errors.ts';

/** A file's text. Throws GqaError where it cannot be read. */
export async function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause: unknown) => {
    throw new GqaError('input', `${path}: cannot be read: ${messageOf(cause)}`, { cause });
  });
}

/** A JSON list of ids of tokens. Throws GqaError for anything else. */
export async function readTokenFile(path: string): Promise<number[]> {
  const text = await readText(path);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new GqaError('input', `${path}: expected a JSON list of tokens: ${messageOf(cause)}`, { cause });
  }
  if (Array.isArray(value) && value.every((id) => Number.isSafeInteger(id))) return value as number[];
  throw new GqaError('input', `${path}: expected a JSON list of whole numbers`);
}

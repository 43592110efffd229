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
  const value = await readList(path);
  if (isTokens(value)) return value;
  throw new GqaError('input', `${path}: expected a JSON list of whole numbers`);
}

/** A JSON list of texts, each a list of ids of tokens; a plain list is one text. Throws GqaError for anything else. */
export async function readTokenTexts(path: string): Promise<number[][]> {
  const value = await readList(path);
  if (isTokens(value) && value.length > 0) return [value];
  if (Array.isArray(value) && value.every(isTokens)) return value;
  throw new GqaError('input', `${path}: expected a JSON list of whole numbers, or of such lists`);
}

/** The lines of a file's text. */
export async function readLines(path: string): Promise<string[]> {
  const lines = (await readText(path)).split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

const isTokens = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((id) => Number.isSafeInteger(id));

async function readList(path: string): Promise<unknown> {
  const text = await readText(path);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new GqaError('input', `${path}: expected a JSON list of tokens: ${messageOf(cause)}`, { cause });
  }
}

// tokenizer.ts: the tokenizer of a model folder, read only where a command is given or asked for text.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeTokenizer, type TextTokens } from '../../bench/model/text.ts';
import { GqaError, messageOf } from '../../src/device/errors.ts';

/** Reads the tokenizer of a model folder. Throws GqaError where there is none or it cannot be read. */
export async function openTokenizer(folder: string): Promise<TextTokens> {
  const path = join(folder, 'tokenizer.json');
  const json = await readJson(path, `${path}: cannot be read`);
  const config = await readJson(join(folder, 'tokenizer_config.json'), undefined);
  return makeTokenizer(json, config, path);
}

/** A prompt's tokens. Throws GqaError where it has none. */
export function encodePrompt(text: TextTokens, prompt: string): number[] {
  const tokens = text.encode(prompt);
  if (tokens.length === 0) throw new GqaError('input', `--prompt "${prompt}": it has no tokens`);
  return tokens;
}

/** A file as JSON; `fault` begins the message where it cannot be read, without one it may be missing. */
async function readJson(path: string, fault: string | undefined): Promise<object> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as object;
  } catch (cause) {
    const isMissing = (cause as { code?: unknown }).code === 'ENOENT';
    if (fault === undefined && isMissing) return {};
    const hint = isMissing ? '; give tokens instead of text' : '';
    throw new GqaError('input', `${fault ?? `${path}: cannot be read`}: ${messageOf(cause)}${hint}`, {
      cause,
    });
  }
}

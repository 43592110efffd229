// trainText.ts: the text that a model is trained on, as tokens: of a file, or made up.
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { GqaError, messageOf } from '../../src/device/errors.ts';
import { splitTokens, type TokenParts } from '../../src/train/text/batches.ts';
import { charVocabulary } from '../../src/train/text/characters.ts';
import { charTokenizerFiles } from '../../src/train/text/tokenizerFiles.ts';
import { generatedText, STORIES } from '../../src/train/text/generatedText.ts';
import { hashOf } from '../../src/train/disk/trainingFolder.ts';
import { readText, readTokenFile } from '../model/tokenFile.ts';
import { openTokenizer } from '../model/tokenizer.ts';

/** Tokens of a vocabulary, at most. */
const MOST_TOKENS = 2 ** 20;

/** What made-up stories are called. */
export const GENERATED = 'generated stories';

/** A text in tokens. */
export interface TrainingText {
  readonly parts: TokenParts;
  /** SHA-256 of all its tokens. */
  readonly hash: string;
  /** Where it comes from: the file's name, no path of this machine. */
  readonly source: string;
}

/** A text, and the vocabulary that was made for it. */
export interface NewText extends TrainingText {
  readonly vocabSize: number;
  /** Contents of the tokenizer's files by name. */
  readonly files: Readonly<Record<string, string>>;
}

/** Where a text for a new model comes from: nowhere, a file, or a file of tokens; and whose tokens it is read in. */
export interface TextFlags {
  readonly text?: string;
  readonly tokens?: string;
  readonly tokenizer?: string;
}

/** A text for a new model. Its tokens are those of a list, of a tokenizer, or its characters. */
export function newText({ text, tokens, tokenizer }: TextFlags, heldOut: number): Promise<NewText> {
  if (tokens !== undefined) return listedText(tokens, heldOut);
  return tokenizer === undefined ? characterText(text, heldOut) : textInTokens(text, tokenizer, heldOut);
}

/** Tokens as they are: there is nothing to make text of them with. */
async function listedText(path: string, heldOut: number): Promise<NewText> {
  const list = await readTokenFile(path);
  if (list.length === 0) throw new GqaError('input', `${path}: expected at least one token, got none`);
  const wrong = list.find((id) => id < 0 || id >= MOST_TOKENS);
  if (wrong !== undefined)
    throw new GqaError('input', `${path}: expected tokens from 0 to ${MOST_TOKENS - 1}, got ${wrong}`);
  const vocabSize = list.reduce((most, id) => Math.max(most, id + 1), 0);
  return { ...partsOf(Uint32Array.from(list), path, heldOut), vocabSize, files: {} };
}

/** A text in the tokens of another model, whose tokenizer goes with it. */
async function textInTokens(path: string | undefined, folder: string, heldOut: number): Promise<NewText> {
  const text = await tokenizedText(path, folder, heldOut);
  const json = await readText(join(folder, 'tokenizer.json'));
  const config = await readText(join(folder, 'tokenizer_config.json')).catch(() => undefined);
  return {
    ...text,
    vocabSize: vocabSizeOf(JSON.parse(json)),
    files: { 'tokenizer.json': json, ...(config !== undefined && { 'tokenizer_config.json': config }) },
  };
}

/** As many as the largest id of a tokenizer.json asks for. */
function vocabSizeOf(json: unknown): number {
  const { model, added_tokens: added = [] } = json as {
    readonly model?: { readonly vocab?: Readonly<Record<string, number>> | readonly unknown[] };
    readonly added_tokens?: readonly { readonly id: number }[];
  };
  const vocab = model?.vocab ?? {};
  // Unigram models list their tokens in the order of the ids.
  const own = Array.isArray(vocab)
    ? vocab.length
    : Object.values(vocab as Readonly<Record<string, number>>).reduce(
        (most, id) => Math.max(most, id + 1),
        0,
      );
  return added.reduce((most, { id }) => Math.max(most, id + 1), own);
}

/** A text whose tokens are its characters. */
async function characterText(path: string | undefined, heldOut: number): Promise<NewText> {
  const text = await textOf(path);
  const vocabulary = charVocabulary(text);
  const files = Object.entries(charTokenizerFiles(vocabulary)).map(([name, content]) => [
    name,
    `${JSON.stringify(content, null, 2)}\n`,
  ]);
  return {
    ...partsOf(vocabulary.encode(text), path, heldOut),
    vocabSize: vocabulary.characters.length,
    files: Object.fromEntries(files) as Record<string, string>,
  };
}

/** A text in the tokens of a folder's tokenizer.json. */
export async function tokenizedText(
  path: string | undefined,
  folder: string,
  heldOut: number,
): Promise<TrainingText> {
  const tokenizer = await openTokenizer(folder);
  return partsOf(Uint32Array.from(tokenizer.encode(await textOf(path))), path, heldOut);
}

function partsOf(tokens: Uint32Array<ArrayBuffer>, path: string | undefined, heldOut: number): TrainingText {
  return {
    parts: splitTokens(tokens, heldOut),
    hash: hashOf(tokens),
    source: path === undefined ? GENERATED : basename(path),
  };
}

async function textOf(path: string | undefined): Promise<string> {
  if (path === undefined) return generatedText(STORIES.seed, STORIES.characters);
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new GqaError('input', `--text "${path}": cannot be read: ${messageOf(cause)}`, { cause });
  });
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new GqaError('input', `--text "${path}": expected UTF-8: ${messageOf(cause)}`, { cause });
  }
}

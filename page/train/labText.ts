// labText.ts: the text that the lab trains on: the reader's, or stories that are made up; and its characters as tokens. No DOM.
import { characterText, HELD_OUT, STORIES_SOURCE } from '../../bench/reproduce/run.ts';
import type { LabText } from '../../bench/reproduce/lab.ts';
import { GqaError, messageOf } from '../../src/device/errors.ts';
import { charVocabulary, type CharVocabulary } from '../../src/train/text/characters.ts';
import { generatedText, STORIES } from '../../src/train/text/generatedText.ts';

/** A text file of the reader's. */
export interface ReaderText {
  readonly name: string;
  readonly content: string;
}

/** Bytes of a file at most: its tokens take four times as much. */
const MOST_BYTES = 64 * 2 ** 20;

/** Reads a file. Throws GqaError for one that is too large, or that is no UTF-8. */
export async function readText(file: File): Promise<ReaderText> {
  if (file.size > MOST_BYTES)
    throw new GqaError('input', `${file.name}: expected a text of at most 64 MiB, got a larger one.`);
  try {
    const content = new TextDecoder('utf-8', { fatal: true }).decode(await file.arrayBuffer());
    return { name: file.name, content };
  } catch (cause) {
    throw new GqaError('input', `${file.name}: expected a text in UTF-8: ${messageOf(cause)}.`, { cause });
  }
}

/** Why a text is too short for a model that sees so many tokens at once; undefined when it is not. */
export function textFault({ name, content }: ReaderText, context: number): string | undefined {
  const needed = Math.ceil((context + 1) / HELD_OUT);
  // Only a short text is counted: a character has at most two units.
  if (content.length >= 2 * needed) return undefined;
  const characters = Array.from(content).length;
  if (characters >= needed) return undefined;
  return `${name}: expected a text of at least ${needed.toLocaleString('en')} characters, got ${characters.toLocaleString('en')}: a tenth of it is held out, and has to be longer than the ${context} characters that the model sees at once.`;
}

/** A text in tokens, and what they stand for. */
export interface TextInTokens {
  readonly text: LabText;
  readonly vocabulary: CharVocabulary;
}

/**
 * The reader's text or the stories, by the vocabulary of a model or by the text's own. Throws ShapeError for a character that the vocabulary
 * lacks, and says where it stands.
 */
export function textInTokens(reader: ReaderText | undefined, known?: CharVocabulary): TextInTokens {
  const content = reader ? reader.content : generatedText(STORIES.seed, STORIES.characters);
  const vocabulary = known ?? charVocabulary(content);
  return { text: characterText(content, reader?.name ?? STORIES_SOURCE, vocabulary), vocabulary };
}

/** So many characters of a text's last tenth, which no step is trained on, from the beginning of a line. */
export function openingOf({ content }: ReaderText, count: number): string {
  const heldOut = content.slice(Math.floor(content.length * (1 - HELD_OUT)));
  const line = heldOut.slice(heldOut.indexOf('\n') + 1).trimStart() || heldOut;
  return Array.from(line.split('\n')[0]!).slice(0, count).join('').trimEnd();
}

// pairs.ts: what a model with an encoder is asked about: sources and targets, from files.
import { GqaError } from '../../src/device/errors.ts';
import { checkToken } from '../../src/models/decoder/contextArgs.ts';
import type { TextPair } from '../../src/models/decoder/pairPerplexity.ts';
import { readLines, readTokenTexts } from './tokenFile.ts';
import { openTokenizer } from './tokenizer.ts';

/** Where sources and targets are: texts, a line each, or ids of tokens. */
export interface PairFlags {
  readonly text?: string;
  readonly tokens?: string;
  readonly source?: string;
  readonly sourceTokens?: string;
}

/** Reads them. Throws GqaError where there is not one source for each target, for an empty one, and for tokens outside of the vocabulary. */
export async function readPairs(folder: string, vocabSize: number, flags: PairFlags): Promise<TextPair[]> {
  const { text, tokens, source, sourceTokens } = flags;
  if (source === undefined && sourceTokens === undefined) {
    throw new GqaError(
      'usage',
      `${folder}: its encoder reads a source: expected --source or --source-tokens, beside the targets of --text or --tokens, got neither`,
    );
  }
  if (text === undefined && tokens === undefined) {
    throw new GqaError('usage', 'expected the targets by --text or --tokens, got neither');
  }
  const [sources, targets] = [
    await textsOf(folder, source, sourceTokens),
    await textsOf(folder, text, tokens),
  ];
  if (sources.length !== targets.length) {
    throw new GqaError(
      'input',
      `expected a source for each target, a line each: got ${sources.length} of ${source ?? sourceTokens} and ${targets.length} of ${text ?? tokens}`,
    );
  }
  for (const [texts, path] of [
    [sources, source ?? sourceTokens],
    [targets, text ?? tokens],
  ] as const) {
    for (const [line, ids] of texts.entries()) {
      for (const [i, id] of ids.entries()) checkToken(`${path}: line ${line + 1}`, i, id, vocabSize);
    }
  }
  return targets.map((target, i) => ({ source: sources[i]!, target }));
}

/** Tokens of the texts of a file. */
async function textsOf(
  folder: string,
  text: string | undefined,
  tokens: string | undefined,
): Promise<number[][]> {
  const path = (text ?? tokens)!;
  const texts =
    text === undefined
      ? await readTokenTexts(path)
      : await readLines(text).then(async (lines) => {
          const tokenizer = await openTokenizer(folder);
          return lines.map((line) => tokenizer.encode(line));
        });
  if (texts.length === 0) throw new GqaError('input', `${path}: expected at least one text, got none`);
  const empty = texts.findIndex((each) => each.length === 0);
  if (empty >= 0) throw new GqaError('input', `${path}: line ${empty + 1}: it has no tokens`);
  return texts;
}

// checkpoint.ts: the checkpoint that a quick look starts from: what it is, how it was trained, its characters. No DOM.
import { openFiles } from '../../bench/model/openFiles.ts';
import type { Original } from '../../bench/reproduce/lab.ts';
import { originalSize } from '../../bench/reproduce/original.ts';
import { GqaError } from '../../src/device/errors.ts';
import { isRecord } from '../../src/device/options.ts';
import { PREFIX_BYTES, parseHeader, readHeaderLength } from '../../src/checkpoint/format/safetensors.ts';
import type { ModelSpec } from '../../src/models/decoder/spec.ts';
import { charVocabulary, type CharVocabulary } from '../../src/train/text/characters.ts';
import { trainedAs } from '../../src/train/trainedAs.ts';
import type { CheckpointFiles } from './protocol.ts';

/** A checkpoint whose tokens are characters. */
export interface OpenedCheckpoint {
  readonly original: Original;
  readonly spec: ModelSpec;
  readonly vocabulary: CharVocabulary;
}

/** Opens it. Throws as `openModelFiles` and `originalSize`. */
export async function openCheckpointFiles(files: CheckpointFiles, name: string): Promise<OpenedCheckpoint> {
  const { open, config } = await openFiles(files, name);
  const { spec } = await open(undefined);
  const trained = trainedAs(await metadataOf(files['model.safetensors']!, name), config);
  return {
    original: { name, size: originalSize(name, spec, trained), open },
    spec,
    vocabulary: await vocabularyOf(files['tokenizer.json']!, name),
  };
}

async function metadataOf(weights: File, name: string): Promise<Readonly<Record<string, string>>> {
  const where = `${name}/model.safetensors`;
  const bytes = async (begin: number, end: number) =>
    new Uint8Array(await weights.slice(begin, end).arrayBuffer());
  const length = readHeaderLength(await bytes(0, PREFIX_BYTES), weights.size, where);
  return parseHeader(await bytes(PREFIX_BYTES, PREFIX_BYTES + length), weights.size, where).metadata;
}

/** The characters of a tokenizer.json as `charTokenizerFiles` writes it: by token, which is the order of their code points. */
async function vocabularyOf(tokenizer: File, name: string): Promise<CharVocabulary> {
  const { model } = JSON.parse(await tokenizer.text()) as { readonly model?: { readonly vocab?: unknown } };
  const vocab = model?.vocab;
  if (isRecord(vocab)) {
    const vocabulary = charVocabulary(Object.keys(vocab).join(''));
    if (vocabulary.characters.every((character, token) => vocab[character] === token)) return vocabulary;
  }
  throw new GqaError('input', `${name}/tokenizer.json: expected tokens that are characters, in their order`);
}

// tinyTraining.ts: a training of a few steps that costs next to nothing: one layer, a short generated text.
import { initialParameters } from '../../src/train/initialWeights.ts';
import { newModel, type ModelSizes } from '../../src/train/newModel.ts';
import { splitTokens } from '../../src/train/text/batches.ts';
import { charVocabulary } from '../../src/train/text/characters.ts';
import { generatedText } from '../../src/train/text/generatedText.ts';
import type { TrainerArgs, TrainerOptions } from '../../src/train/trainer.ts';

const SIZES: ModelSizes = { layers: 1, dim: 32, heads: 4, kvHeads: 4, feedForward: 48 };

export const TINY_OPTIONS: TrainerOptions = {
  batch: 4,
  context: 16,
  seed: 5,
  steps: 12,
  rate: 5e-3,
  schedule: 'cosine',
  warmup: 0.25,
  windows: 4,
};

const text = generatedText(3, 4000);
const vocabulary = charVocabulary(text);

/** What a trainer of it is given; the same each time. */
export function tinyTraining(sizes: Partial<ModelSizes> = {}, seed = 1): TrainerArgs {
  // With a token that the text has not.
  const vocabSize = vocabulary.characters.length + 1;
  const { spec } = newModel({ ...SIZES, ...sizes }, vocabSize, TINY_OPTIONS.context);
  return {
    spec,
    text: splitTokens(vocabulary.encode(text), 0.1),
    parameters: initialParameters(spec, seed),
  };
}

/** Nats a token of what knows only how often each is there. */
export function unigramEntropy(tokens: Uint32Array): number {
  const counts = new Map<number, number>();
  for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1);
  return [...counts.values()].reduce((sum, n) => sum - (n / tokens.length) * Math.log(n / tokens.length), 0);
}

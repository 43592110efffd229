// checkVariant.ts: is a variant right on this device? A few tokens through it, held against its twin in float64.
import type { Model } from '../../src/models/decoder/model.ts';
import type { ModelSource } from '../../src/models/decoder/modelSource.ts';
import { uniform } from '../../src/numbers/random.ts';
import { checkModel } from '../check/checkModel.ts';
import type { RowCheck } from '../schema/schema.ts';
import type { WholeOptions } from './wholeOptions.ts';

const PROMPT_TOKENS = 4;

/** The error of its logits and what that may be; null for a model with an encoder, which has no twin. */
export async function checkVariant(
  model: Model,
  source: ModelSource,
  { kType, vType, weightType, seed }: WholeOptions,
): Promise<RowCheck | null> {
  const { spec } = source;
  if (spec.encoder) return null;
  const next = uniform(seed);
  const prompt = Array.from({ length: PROMPT_TOKENS }, () => Math.floor(next() * spec.vocabSize));
  const context = await model.createContext({ capacity: PROMPT_TOKENS + 1, kType, vType });
  try {
    const ofWeights = weightType === undefined ? {} : { weightType };
    const { pass, logits } = await checkModel({ source, context, prompt, maxTokens: 1, ...ofWeights });
    return { ref: 'cpu-f64', pass, maxAbsErr: logits.error, bound: logits.bound };
  } finally {
    context.destroy();
  }
}

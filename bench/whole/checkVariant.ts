// checkVariant.ts: is a variant right on this device? A few tokens through it, held against its twin in float64.
import type { Model } from '../../src/models/decoder/model.ts';
import type { ModelSource } from '../../src/models/decoder/modelSource.ts';
import { uniform } from '../../src/numbers/random.ts';
import { checkModel } from '../check/checkModel.ts';
import { sizesFor } from '../model/variants.ts';
import type { RowCheck } from '../schema/schema.ts';
import type { WholeOptions } from './wholeOptions.ts';

/** Tokens of a prompt, or of a source, and greedy ones behind it: the second of those is of the step that is timed. */
const PROMPT_TOKENS = 3;
const GREEDY_TOKENS = 2;

/** The error of its logits and what that may be. */
export async function checkVariant(
  model: Model,
  source: ModelSource,
  { kType, vType, weightType, seed }: WholeOptions,
): Promise<RowCheck> {
  const { spec } = source;
  const next = uniform(seed);
  const prompt = Array.from({ length: PROMPT_TOKENS }, () => Math.floor(next() * spec.vocabSize));
  const sizes = sizesFor(spec, PROMPT_TOKENS, GREEDY_TOKENS);
  const context = await model.createContext({ ...sizes, kType, vType });
  try {
    const ofWeights = weightType === undefined ? {} : { weightType };
    const { pass, logits } = await checkModel({
      source,
      context,
      prompt,
      maxTokens: GREEDY_TOKENS,
      ...ofWeights,
    });
    return { ref: 'cpu-f64', pass, maxAbsErr: logits.error, bound: logits.bound };
  } finally {
    context.destroy();
  }
}

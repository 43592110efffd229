// problem.ts: what contestants train: a Llama of one of the sizes with seeded weights, and the batch of each step.
import { initialParameters } from '../../../src/train/initialWeights.ts';
import { newModel } from '../../../src/train/newModel.ts';
import { layOut, type ParameterLayout } from '../../../src/train/parameters.ts';
import { RATES, TRAINING_SIZES, type TrainingSize, type TrainingSizeName } from '../../../src/train/sizes.ts';
import { batchAt, type Windows } from '../../../src/train/text/batches.ts';
import { charVocabulary } from '../../../src/train/text/characters.ts';
import { generatedText } from '../../../src/train/text/generatedText.ts';
import { ADAMW_DEFAULTS } from '../../../src/train/trainer.ts';
import { tensorsOf, type FloatTensor } from '../../../src/train/weights.ts';
import type { ModelSpec } from '../../../src/models/decoder/spec.ts';

/** The same for every contestant. */
export interface TrainProblem {
  readonly size: TrainingSize;
  readonly vocab: number;
  readonly spec: ModelSpec;
  readonly layout: ParameterLayout;
  /** [layout.count] */
  readonly parameters: Float32Array<ArrayBuffer>;
  /** The same by the names of a checkpoint. */
  readonly tensors: ReadonlyMap<string, FloatTensor>;
  /** Tokens and targets [batch, context] of a step, from 1 on. */
  batchOf(step: number): Windows;
}

/** AdamW with a decay of matrices alone, behind a bound on the norm of all gradients; the learning rate stays. */
export const ADAMW = { ...ADAMW_DEFAULTS, rate: RATES.train } as const;

const CHARACTERS = 100_000;

/** Makes weights and text of a seed: multi-head, a token per character. */
export function makeProblem(name: TrainingSizeName, seed: number): TrainProblem {
  const size = TRAINING_SIZES[name];
  const { batch, context } = size;
  const text = generatedText(seed, CHARACTERS);
  const vocabulary = charVocabulary(text);
  const tokens = vocabulary.encode(text);
  const vocab = vocabulary.characters.length;
  const { spec, tensors } = newModel({ ...size, kvHeads: size.heads }, vocab, context);
  const layout = layOut(spec);
  const parameters = initialParameters(spec, seed);
  return {
    size,
    vocab,
    spec,
    layout,
    parameters,
    tensors: tensorsOf(layout, parameters, { tensor: (tensor) => tensors.get(tensor) }),
    batchOf: (step) => batchAt({ tokens, seed, step, batch, context }),
  };
}

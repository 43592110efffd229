// trainStep.ts: the numbers of a training step, packed by the field names of their shader (shaders/lib/train/train_step.wgsl).
import trainStep from '../../../shaders/lib/train/train_step.wgsl?raw';
import { structLayout } from '../../device/structs.ts';

export const TRAIN_STEP = trainStep;

const LAYOUT = structLayout(trainStep, 'TrainStep', {
  slot: 'u32',
  losses: 'u32',
  counted: 'f32',
  rate: 'f32',
  weight_decay: 'f32',
  clip: 'f32',
  correction1: 'f32',
  correction2: 'f32',
});

/** u32 words of the `step` binding. */
export const TRAIN_STEP_WORDS = LAYOUT.words;

/** What is different from one training step to the next. */
export interface TrainStep {
  /** Which of the figures of several steps are this one's. */
  readonly slot: number;
  /** Rows that have a loss. */
  readonly losses: number;
  /** Rows that the mean of the losses divides by. */
  readonly counted: number;
  /** The learning rate. */
  readonly rate: number;
  readonly weightDecay: number;
  /** The greatest norm that gradients keep; 0: any. */
  readonly clip: number;
  /** 1 - beta1^t of the optimiser's t-th step, from 1 on. */
  readonly correction1: number;
  /** 1 - beta2^t. */
  readonly correction2: number;
}

/** The words of the `step` binding. */
export function trainStepWords(step: TrainStep): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(LAYOUT.words);
  const floats = new Float32Array(words.buffer);
  const { word } = LAYOUT;
  words[word.slot] = step.slot;
  words[word.losses] = step.losses;
  floats[word.counted] = step.counted;
  floats[word.rate] = step.rate;
  floats[word.weight_decay] = step.weightDecay;
  floats[word.clip] = step.clip;
  floats[word.correction1] = step.correction1;
  floats[word.correction2] = step.correction2;
  return words;
}

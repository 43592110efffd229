// trainStep.ts: the numbers of a training step, packed by the field names of their shader (shaders/lib/train/train_step.wgsl).
import trainStep from '../../../shaders/lib/train/train_step.wgsl?raw';
import { structLayout } from '../../device/structs.ts';
import { numbersOf } from './numbers.ts';

export const TRAIN_STEP = trainStep;

const FIELDS = {
  slot: 'u32',
  losses: 'u32',
  counted: 'f32',
  rate: 'f32',
  weight_decay: 'f32',
  clip: 'f32',
  correction1: 'f32',
  correction2: 'f32',
} as const;

const pack = numbersOf(trainStep, 'TrainStep', FIELDS);

/** Words of the `step` binding. */
export const TRAIN_STEP_WORDS = structLayout(trainStep, 'TrainStep', FIELDS).words;

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
export function trainStepWords({ weightDecay, ...rest }: TrainStep): Uint32Array<ArrayBuffer> {
  return pack({ ...rest, weight_decay: weightDecay });
}

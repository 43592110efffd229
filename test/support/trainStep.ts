// trainStep.ts: a training step that tests fill in where it matters to them.
import type { TrainStep } from '../../src/kernels/train/trainStep.ts';

/** A step that moves nothing. */
export const IDLE_STEP: TrainStep = {
  slot: 0,
  losses: 0,
  counted: 1,
  rate: 0,
  weightDecay: 0,
  clip: 0,
  correction1: 1,
  correction2: 1,
};

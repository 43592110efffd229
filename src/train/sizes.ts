// sizes.ts: models and trainings of three sizes, which show the same on slower and on faster devices.
import type { BatchSizes } from './attention.ts';
import type { ModelSizes } from './newModel.ts';

/** A model, and how it is trained. */
export interface TrainingSize extends Omit<ModelSizes, 'kvHeads'>, BatchSizes {
  readonly steps: number;
}

/** Seconds on any device, a minute on a fast CPU, minutes on the GPU of a laptop. */
export const TRAINING_SIZES = {
  tiny: { layers: 1, dim: 32, heads: 4, feedForward: 64, batch: 16, context: 32, steps: 300 },
  small: { layers: 2, dim: 64, heads: 4, feedForward: 128, batch: 16, context: 64, steps: 400 },
  demo: { layers: 4, dim: 128, heads: 8, feedForward: 256, batch: 12, context: 128, steps: 1200 },
} as const satisfies Readonly<Record<string, TrainingSize>>;

export type TrainingSizeName = keyof typeof TRAINING_SIZES;

/** Learning rates that these sizes are trained at: at first, and again after a conversion, as a share of the steps rises to it. */
export const RATES = { train: 2e-3, uptrain: 1e-3, warmup: 0.1 } as const;

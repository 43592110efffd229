// original.ts: a checkpoint that was trained before, as the original of a run of the paper's figures.
import { GqaError } from '../../src/device/errors.ts';
import type { ModelSpec } from '../../src/models/decoder/spec.ts';
import { checkTrainable } from '../../src/train/trainable.ts';
import type { TrainedAs } from '../../src/train/trainedAs.ts';
import type { TrainingSize } from '../../src/train/sizes.ts';

/**
 * The sizes that a checkpoint has and was trained with, by its metadata. Throws GqaError for one that does not say how it was trained, or that has
 * fewer KV heads than query heads; ShapeError for one that there are no backward kernels for.
 */
export function originalSize(name: string, spec: ModelSpec, trained: TrainedAs): TrainingSize {
  checkTrainable(spec);
  const { steps, batch, context } = trained;
  if (steps === undefined || batch === undefined || context === undefined) {
    throw new GqaError(
      'input',
      `${name}: expected a checkpoint of gqa train, whose metadata says its steps, batch and context`,
    );
  }
  const { attention, mlp } = spec.layers[0]!;
  if (attention.numKvHeads !== attention.numQHeads) {
    throw new GqaError(
      'input',
      `${name}: expected a multi-head model, got ${attention.numQHeads} query heads and ${attention.numKvHeads} KV heads`,
    );
  }
  const model = {
    layers: spec.layers.length,
    dim: spec.hiddenSize,
    heads: attention.numQHeads,
    feedForward: mlp.up.outputs,
  };
  return { ...model, steps, batch, context };
}

// sources.ts: models to train as sources of tensors: new ones with random weights, and checkpoints in memory; and trained parameters as tensors again.
import type { ConversionOptions } from '../checkpoint/convert/plan.ts';
import { checkHeads } from '../checkpoint/model/checkHeads.ts';
import { ShapeError } from '../device/errors.ts';
import { checkOptions, checkText, checkWhole, describe, isRecord, type Known } from '../device/options.ts';
import { checkSource, type ModelSource } from '../models/decoder/modelSource.ts';
import { DEFAULT_SEED } from '../numbers/random.ts';
import { initialParameters } from './initialWeights.ts';
import { openMemory, type MemoryCheckpoint } from './memoryParts.ts';
import { newModel, type ModelSizes } from './newModel.ts';
import { layOut } from './parameters.ts';
import { checkTrainable } from './trainable.ts';
import { tensorsOf, type FloatTensor } from './weights.ts';

/** A Llama without weights: sizes, and what its weights are drawn by. */
export interface NewLlamaOptions extends ModelSizes {
  /** Tokens of its vocabulary. */
  readonly vocabSize: number;
  /** Positions that it is for. */
  readonly context: number;
  /** Of its weights, 0 to 2^32 - 1. Default 42. */
  readonly seed?: number;
}

const NEW_LLAMA = {
  layers: true,
  dim: true,
  heads: true,
  kvHeads: true,
  feedForward: true,
  vocabSize: true,
  context: true,
  seed: true,
} satisfies Known<NewLlamaOptions>;

/** Makes one, with random weights. Throws ShapeError for sizes that do not go together. */
export function newLlama(options: NewLlamaOptions): MemoryCheckpoint {
  checkOptions('newLlama', options, NEW_LLAMA);
  const { vocabSize, context, seed = DEFAULT_SEED, ...sizes } = options;
  checkWhole('newLlama: context', context, 1, 2 ** 20);
  checkWhole('newLlama: seed', seed, 0, 2 ** 32 - 1);
  const { config, tensors, spec } = newModel(sizes, vocabSize, context);
  const shapes = { tensor: (name: string) => tensors.get(name) };
  return { name: 'llama', config, tensors: tensorsOf(layOut(spec), initialParameters(spec, seed), shapes) };
}

/**
 * Opens a checkpoint in memory. With `heads` its KV heads are merged while tensors are read, by the same plan and to the same values as
 * `openModel` does on disk. Throws CheckpointError and ShapeError as that does.
 */
export function openCheckpoint(checkpoint: MemoryCheckpoint, heads?: ConversionOptions): ModelSource {
  if (!isRecord(checkpoint) || !isRecord(checkpoint.config) || !(checkpoint.tensors instanceof Map)) {
    throw new ShapeError(`openCheckpoint: expected { name, config, tensors }, got ${describe(checkpoint)}`);
  }
  checkText('openCheckpoint: name', checkpoint.name);
  for (const [name, tensor] of checkpoint.tensors) checkTensor(name, tensor);
  if (heads !== undefined) checkHeads('openCheckpoint: heads', heads);
  return openMemory(checkpoint, heads);
}

function checkTensor(name: string, tensor: FloatTensor): void {
  const where = `openCheckpoint: tensor "${name}"`;
  if (!isRecord(tensor) || !Array.isArray(tensor.shape) || !(tensor.values instanceof Float32Array)) {
    throw new ShapeError(`${where}: expected { shape, values }, got ${describe(tensor)}`);
  }
  const count = tensor.shape.reduce((product: number, size: number) => product * size, 1);
  if (tensor.values.length !== count) {
    throw new ShapeError(
      `${where}: expected ${count} values for [${tensor.shape.join(', ')}], got ${tensor.values.length}`,
    );
  }
}

/** Parameters of a trained model as tensors by the names, and of the shapes, that its checkpoint has them in. Throws ShapeError for another number of them. */
export function checkpointTensors(source: ModelSource, parameters: Float32Array): Map<string, FloatTensor> {
  checkSource('checkpointTensors: source', source);
  checkTrainable(source.spec);
  const layout = layOut(source.spec);
  if (!(parameters instanceof Float32Array) || parameters.length !== layout.count) {
    throw new ShapeError(
      `checkpointTensors: parameters: expected ${layout.count} of a Trainer's state, got ${describe(parameters)}`,
    );
  }
  return tensorsOf(layout, parameters, source);
}

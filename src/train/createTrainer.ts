// createTrainer.ts: training as callers begin it: what they give is checked, and a model's parameters are read.
import { ShapeError } from '../device/errors.ts';
import { checkFacts, type DeviceFacts } from '../device/deviceFacts.ts';
import { checkDevice, type GqaDevice } from '../device/gqaDevice.ts';
import {
  checkBoolean,
  checkOptions,
  checkWhole,
  describe,
  isRecord,
  pickKnown,
  type Known,
} from '../device/options.ts';
import { checkSource, type ModelSource } from '../models/decoder/modelSource.ts';
import { planTraining, type TrainingMemory, type TrainingSizes } from './allocation.ts';
import { layOut } from './parameters.ts';
import { checkTrainable } from './trainable.ts';
import { Trainer, type TrainerOptions, type TrainingState } from './trainer.ts';
import { TrainingModel } from './trainingModel.ts';
import type { TokenParts } from './text/batches.ts';
import { readParameters } from './weights.ts';

/** How a model is trained, on what, and from where. */
export interface CreateTrainerOptions extends TrainerOptions {
  /** A model of the same vocabulary whose logits are learned in place of the text's own tokens. Default: none. */
  readonly teacher?: ModelSource;
  /** Where to go on from, with the options that it was begun with. Default: the source's own weights, and the first step. */
  readonly state?: TrainingState;
}

const TRAINER_OPTIONS = {
  batch: true,
  context: true,
  rate: true,
  schedule: true,
  warmup: true,
  steps: true,
  seed: true,
  windows: true,
  beta1: true,
  beta2: true,
  eps: true,
  weightDecay: true,
  clip: true,
} satisfies Known<TrainerOptions>;

/**
 * Makes a trainer of a model on a device, which may be a borrowed one. Throws ShapeError for a model that there are no backward kernels
 * for, naming what stands in the way, and for wrong options or tokens; LimitExceededError and GpuError for want of memory.
 */
export async function createTrainer(
  device: GqaDevice,
  source: ModelSource,
  text: TokenParts,
  options: CreateTrainerOptions,
): Promise<Trainer> {
  checkDevice('createTrainer', device);
  device.assertUsable();
  checkSource('createTrainer: source', source);
  checkParts(text);
  checkOptions('createTrainer', options, { ...TRAINER_OPTIONS, teacher: true, state: true });
  checkNumbers(options);
  checkTrainable(source.spec);
  const { teacher, state } = options;
  if (state !== undefined) checkState(state, layOut(source.spec).count);
  const own = pickKnown<TrainerOptions>(options, TRAINER_OPTIONS);
  const parameters = state?.parameters ?? (await readParameters(layOut(source.spec), source));
  const teaching = teacher && (await teacherOf(device, teacher, source, own));
  try {
    const args = {
      spec: source.spec,
      parameters,
      text,
      ...(teaching && { teacher: teaching }),
      ...(state && { state }),
    };
    return await Trainer.create(device, args, own, teaching);
  } catch (error) {
    teaching?.destroy();
    throw error;
  }
}

async function teacherOf(
  device: GqaDevice,
  teacher: ModelSource,
  { spec }: ModelSource,
  { batch, context }: TrainerOptions,
): Promise<TrainingModel> {
  checkSource('createTrainer: teacher', teacher);
  if (teacher.spec.vocabSize !== spec.vocabSize) {
    throw new ShapeError(
      `createTrainer: teacher: expected a vocabulary of ${spec.vocabSize}, got ${teacher.spec.vocabSize}`,
    );
  }
  checkTrainable(teacher.spec);
  const parameters = await readParameters(layOut(teacher.spec), teacher);
  return TrainingModel.create(device, teacher.spec, parameters, { batch, context, learns: false });
}

/** The memory that training of a model takes, before anything is allocated. Throws as `createTrainer`. */
export function planTrainer(source: ModelSource, sizes: TrainingSizes, facts: DeviceFacts): TrainingMemory {
  checkSource('planTrainer: source', source);
  checkOptions('planTrainer', sizes, { batch: true, context: true, learns: true });
  checkWhole('planTrainer: batch', sizes.batch, 1, 2 ** 16);
  checkWhole('planTrainer: context', sizes.context, 1, 2 ** 20);
  checkBoolean('planTrainer: learns', sizes.learns);
  checkFacts('planTrainer: facts', facts);
  return planTraining(source.spec, sizes, facts);
}

function checkParts(text: TokenParts): void {
  if (!isRecord(text))
    throw new ShapeError(`createTrainer: text: expected what splitTokens gives, got ${describe(text)}`);
  for (const part of ['training', 'heldOut'] as const) {
    if (text[part] instanceof Uint32Array) continue;
    throw new ShapeError(
      `createTrainer: text.${part}: expected tokens in a Uint32Array, got ${describe(text[part])}`,
    );
  }
}

function checkNumbers({ seed, windows }: TrainerOptions): void {
  checkWhole('createTrainer: seed', seed, 0, 2 ** 32 - 1);
  if (windows !== undefined) checkWhole('createTrainer: windows', windows, 1, 2 ** 20);
}

function checkState(state: TrainingState, count: number): void {
  const where = 'createTrainer: state';
  if (!isRecord(state) || !isRecord(state.moments))
    throw new ShapeError(`${where}: expected what Trainer.state gives, got ${describe(state)}`);
  checkWhole(`${where}: step`, state.step, 0, 2 ** 31);
  const { first, second } = state.moments;
  for (const [name, values] of Object.entries({ parameters: state.parameters, first, second })) {
    if (values instanceof Float32Array && values.length === count) continue;
    throw new ShapeError(
      `${where}: ${name}: expected ${count} numbers in a Float32Array, got ${describe(values)}`,
    );
  }
}

// lab.ts: the GQA paper's recipe at a small size: a multi-head model is trained, its heads are merged, and the result is trained a little further.
import type { Method } from '../../src/checkpoint/convert/plan.ts';
import type { GqaDevice } from '../../src/device/gqaDevice.ts';
import { initialParameters } from '../../src/train/initialWeights.ts';
import { openMemory, type MemoryCheckpoint } from '../../src/train/memoryParts.ts';
import { newModel } from '../../src/train/newModel.ts';
import { layOut } from '../../src/train/parameters.ts';
import { RATES, type TrainingSize } from '../../src/train/sizes.ts';
import type { TokenParts } from '../../src/train/text/batches.ts';
import { Trainer, type TrainerOptions } from '../../src/train/trainer.ts';
import { readParameters, tensorsOf } from '../../src/train/weights.ts';
import { headsOf } from '../model/variants.ts';

/** Steps between looks at a signal. */
const STEPS_AT_ONCE = 10;

/** A text, as tokens. */
export interface LabText {
  readonly parts: TokenParts;
  readonly vocabSize: number;
}

/** What is told of a training under way. */
export interface LabHooks {
  /** After so many steps. */
  readonly onSteps?: (steps: number, loss: number) => void;
  readonly signal?: AbortSignal;
}

/** Trains a multi-head model from random weights, and gives its checkpoint and its loss on the held-out text. */
export async function trainMultiHead(
  device: GqaDevice,
  size: TrainingSize,
  seed: number,
  { parts, vocabSize }: LabText,
  hooks: LabHooks = {},
): Promise<{ readonly checkpoint: MemoryCheckpoint; readonly loss: number }> {
  const { config, tensors, spec } = newModel({ ...size, kvHeads: size.heads }, vocabSize, size.context);
  const args = { spec, text: parts, parameters: initialParameters(spec, seed) };
  return training(
    device,
    args,
    optionsOf(size, seed, { rate: RATES.train, steps: size.steps }),
    async (trainer) => {
      await advance(trainer, size.steps, hooks);
      const parameters = await trainer.model.readParameters();
      const shapes = { tensor: (name: string) => tensors.get(name) };
      return {
        checkpoint: { name: 'multi-head', config, tensors: tensorsOf(layOut(spec), parameters, shapes) },
        loss: await trainer.evaluate(),
      };
    },
  );
}

/** A model with fewer KV heads, or the original itself where there is no method: the control. */
export interface LabVariant {
  readonly kvHeads: number;
  readonly method?: Method;
}

/** Losses on the held-out text after shares of the original steps. */
export interface AlphaPoint {
  readonly alpha: number;
  readonly loss: number;
}

/**
 * Converts a checkpoint and trains it on: one training for each alpha, as long as that share of the original steps, its learning rate risen and fallen in that
 * time. Alpha 0 is the conversion alone.
 */
export async function uptrainCurve(
  device: GqaDevice,
  size: TrainingSize,
  seed: number,
  text: LabText,
  checkpoint: MemoryCheckpoint,
  variant: LabVariant,
  alphas: readonly number[],
  hooks: LabHooks = {},
): Promise<AlphaPoint[]> {
  const source = openMemory(checkpoint, headsOf(variant));
  const parameters = await readParameters(layOut(source.spec), source);
  const args = { spec: source.spec, text: text.parts, parameters };
  const points: AlphaPoint[] = [];
  for (const alpha of alphas) {
    const steps = Math.round(alpha * size.steps);
    // Other windows than those of the first training.
    const options = optionsOf(size, seed + 1000, { rate: RATES.uptrain, steps: Math.max(1, steps) });
    const loss = await training(device, args, options, async (trainer) => {
      await advance(trainer, steps, hooks);
      return trainer.evaluate();
    });
    points.push({ alpha, loss });
  }
  return points;
}

/** Steps of all trainings of a curve. */
export function curveSteps({ steps }: TrainingSize, alphas: readonly number[]): number {
  return alphas.reduce((sum, alpha) => sum + Math.round(alpha * steps), 0);
}

function optionsOf(
  { batch, context }: TrainingSize,
  seed: number,
  { rate, steps }: { readonly rate: number; readonly steps: number },
): TrainerOptions {
  return { batch, context, seed, rate, schedule: 'cosine', warmup: RATES.warmup, steps };
}

async function training<T>(
  device: GqaDevice,
  args: Parameters<typeof Trainer.create>[1],
  options: TrainerOptions,
  use: (trainer: Trainer) => Promise<T>,
): Promise<T> {
  const trainer = await Trainer.create(device, args, options);
  try {
    return await use(trainer);
  } finally {
    trainer.destroy();
  }
}

async function advance(trainer: Trainer, steps: number, { onSteps, signal }: LabHooks): Promise<void> {
  while (trainer.step < steps) {
    signal?.throwIfAborted();
    const reports = await trainer.advance(Math.min(steps, trainer.step + STEPS_AT_ONCE));
    onSteps?.(reports.length, reports.at(-1)!.loss);
  }
}

// lab.ts: the GQA paper's recipe at a small size: a multi-head model is trained, its heads are merged, and the result is trained a little further.
import type { Method } from '../../src/checkpoint/convert/plan.ts';
import type { GqaDevice } from '../../src/device/gqaDevice.ts';
import type { ModelSource } from '../../src/models/decoder/modelSource.ts';
import { initialParameters } from '../../src/train/initialWeights.ts';
import { openMemory, trainedSource } from '../../src/train/memoryParts.ts';
import { newModel } from '../../src/train/newModel.ts';
import { layOut } from '../../src/train/parameters.ts';
import { RATES, type TrainingSize } from '../../src/train/sizes.ts';
import type { TokenParts } from '../../src/train/text/batches.ts';
import { meanLoss, Trainer, type TrainerOptions } from '../../src/train/trainer.ts';
import { TrainingModel } from '../../src/train/trainingModel.ts';
import { readParameters, tensorsOf } from '../../src/train/weights.ts';
import { headsOf, type OpenVariant } from '../model/variants.ts';

/** Steps between looks at a signal, at most; fewer where they would take longer than that. */
const STEPS_AT_ONCE = 10;
const MS_AT_ONCE = 500;

/** Looks at the held-out text during a training, at most, and steps between two at least: a look takes as long as a few steps. */
const LOOKS = 8;
const STEPS_TO_LOOK = 20;

/** A text, as tokens. */
export interface LabText {
  readonly parts: TokenParts;
  readonly vocabSize: number;
  /** What a result calls it. */
  readonly source: string;
  /** Contexts of its held-out part that losses are measured on. Default 128. */
  readonly windows?: number;
}

/** What is told of a training under way, and what it waits for. */
export interface LabHooks {
  /** After so many steps more: the mean of their losses, and the steps so far. */
  readonly onSteps?: (steps: number, loss: number, step: number) => void;
  /** The loss on the held-out text after a step; given, it is looked at on the way too, from before the first step on. */
  readonly onHeldOut?: (step: number, loss: number) => void;
  /** Waited for between steps: a pause. */
  readonly wait?: () => Promise<void>;
  readonly signal?: AbortSignal;
}

/** A multi-head model that was trained. */
export interface Original {
  /** What messages and results call it. */
  readonly name: string;
  readonly size: TrainingSize;
  readonly open: OpenVariant;
}

/** Trains a multi-head model from random weights; gives also its loss on the held-out text. */
export async function trainMultiHead(
  device: GqaDevice,
  size: TrainingSize,
  seed: number,
  text: LabText,
  hooks: LabHooks = {},
): Promise<{ readonly open: OpenVariant; readonly loss: number }> {
  const { config, tensors, spec } = newModel({ ...size, kvHeads: size.heads }, text.vocabSize, size.context);
  const args = { spec, text: text.parts, parameters: initialParameters(spec, seed) };
  const options = optionsOf(size, text, seed, { rate: RATES.train, steps: size.steps });
  const { loss, parameters } = await train(device, args, options, size.steps, hooks);
  const shapes = { tensor: (name: string) => tensors.get(name) };
  const checkpoint = { name: 'multi-head', config, tensors: tensorsOf(layOut(spec), parameters, shapes) };
  return { open: (heads) => Promise.resolve(openMemory(checkpoint, heads)), loss };
}

/** The loss of a model as it is on the held-out text. */
export async function lossOf(
  device: GqaDevice,
  { batch, context }: TrainingSize,
  { parts, windows }: LabText,
  open: OpenVariant,
): Promise<number> {
  const { spec, parameters } = await readModel(open, undefined);
  const model = await TrainingModel.create(device, spec, parameters, {
    batch,
    context,
    learns: false,
  });
  try {
    return await meanLoss(model, parts, { batch, context, ...(windows !== undefined && { windows }) });
  } finally {
    model.destroy();
  }
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

/** What a curve is told besides. */
export interface CurveHooks {
  /** Of the training for each alpha. */
  readonly ofAlpha?: (alpha: number) => LabHooks;
  /** Shown the models: the conversion, alpha 0, and what each alpha comes to. They need not be closed. */
  readonly onModel?: (alpha: number, source: ModelSource) => Promise<void>;
}

/**
 * Converts a model and trains it on: one training for each alpha, as long as that share of the original steps, its learning rate risen and fallen in that
 * time. Alpha 0 is the conversion alone.
 */
export async function uptrainCurve(
  device: GqaDevice,
  { size, open }: Pick<Original, 'size' | 'open'>,
  {
    seed,
    text,
    alphas,
  }: { readonly seed: number; readonly text: LabText; readonly alphas: readonly number[] },
  variant: LabVariant,
  { ofAlpha, onModel }: CurveHooks = {},
): Promise<AlphaPoint[]> {
  const { source, spec, parameters } = await readModel(open, variant);
  await onModel?.(0, trainedSource(source, tensorsOf(layOut(spec), parameters, source)));
  const args = { spec, text: text.parts, parameters };
  const points: AlphaPoint[] = [];
  for (const alpha of alphas) {
    const steps = Math.round(alpha * size.steps);
    const rates = { rate: RATES.uptrain, steps: Math.max(1, steps) };
    const options = optionsOf(size, text, uptrainSeed(seed), rates);
    const trained = await train(device, args, options, steps, ofAlpha?.(alpha) ?? {});
    points.push({ alpha, loss: trained.loss });
    if (steps > 0 && onModel) {
      const tensors = tensorsOf(layOut(spec), trained.parameters, source);
      await onModel(alpha, trainedSource(source, tensors));
    }
  }
  return points;
}

/** A model's parameters, and its source, which is closed: it has the shapes of its tensors still. */
async function readModel(open: OpenVariant, variant: LabVariant | undefined) {
  const source = await open(variant && headsOf(variant));
  try {
    return { source, spec: source.spec, parameters: await readParameters(layOut(source.spec), source) };
  } finally {
    await source.close();
  }
}

/** The seed by which windows are drawn after a conversion: others than those of the first training. */
export function uptrainSeed(seed: number): number {
  return seed + 1000;
}

/** Steps of all trainings of a curve. */
export function curveSteps({ steps }: Pick<TrainingSize, 'steps'>, alphas: readonly number[]): number {
  return alphas.reduce((sum, alpha) => sum + Math.round(alpha * steps), 0);
}

function optionsOf(
  { batch, context }: TrainingSize,
  { windows }: LabText,
  seed: number,
  { rate, steps }: { readonly rate: number; readonly steps: number },
): TrainerOptions {
  const measured = windows === undefined ? {} : { windows };
  return { batch, context, seed, rate, schedule: 'cosine', warmup: RATES.warmup, steps, ...measured };
}

/** Takes so many steps; the loss on the held-out text, and the parameters, that they lead to. */
async function train(
  device: GqaDevice,
  args: Parameters<typeof Trainer.create>[1],
  options: TrainerOptions,
  steps: number,
  hooks: LabHooks,
): Promise<{ readonly loss: number; readonly parameters: Float32Array<ArrayBuffer> }> {
  const trainer = await Trainer.create(device, args, options);
  try {
    await advance(trainer, steps, hooks);
    const loss = await trainer.evaluate();
    hooks.onHeldOut?.(steps, loss);
    return { loss, parameters: await trainer.model.readParameters() };
  } finally {
    trainer.destroy();
  }
}

async function advance(trainer: Trainer, steps: number, hooks: LabHooks): Promise<void> {
  const { onSteps, onHeldOut, wait, signal } = hooks;
  const every = onHeldOut ? Math.max(STEPS_TO_LOOK, Math.ceil(steps / LOOKS)) : Infinity;
  if (onHeldOut && steps > 0) onHeldOut(0, await trainer.evaluate());
  let atOnce = 1;
  for (let look = every; trainer.step < steps;) {
    await wait?.();
    signal?.throwIfAborted();
    const began = performance.now();
    const reports = await trainer.advance(Math.min(steps, look, trainer.step + atOnce));
    const perStep = (performance.now() - began) / reports.length;
    atOnce = Math.max(1, Math.min(STEPS_AT_ONCE, Math.floor(MS_AT_ONCE / perStep)));
    const loss = reports.reduce((sum, each) => sum + each.loss, 0) / reports.length;
    onSteps?.(reports.length, loss, trainer.step);
    if (onHeldOut && trainer.step === look && look < steps) onHeldOut(look, await trainer.evaluate());
    if (trainer.step === look) look += every;
  }
}

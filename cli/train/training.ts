// training.ts: a trainer run to its end: progress shown, checkpoints saved, an interrupt kept.
import type { ParameterLayout } from '../../src/train/parameters.ts';
import type { Trainer } from '../../src/train/trainer.ts';
import { tensorsOf } from '../../src/train/weights.ts';
import {
  writeState,
  writeWeights,
  type RunRecord,
  type SavedType,
} from '../../src/train/disk/trainingFolder.ts';
import type { TensorReader } from '../../src/models/decoder/spec.ts';
import type { Progress } from '../../src/node/command/progress.ts';

/** Steps between looks at the losses. */
const STEPS_AT_ONCE = 10;

/** A loss, after so many steps. */
export interface LossPoint {
  readonly step: number;
  /** Nats a token. */
  readonly loss: number;
}

/** What came of a training. */
export interface TrainingResult {
  /** Mean losses of the steps, one point for several. */
  readonly training: readonly LossPoint[];
  /** On the held-out text: before the first step of this run, at each checkpoint, and at the end. */
  readonly heldOut: readonly LossPoint[];
  /** Steps that were taken in all, and how many in this run. */
  readonly steps: number;
  readonly newSteps: number;
  readonly tokensPerSecond: number;
}

/** How a training is run. */
export interface TrainingRun {
  readonly trainer: Trainer;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** Steps between checkpoints. */
  readonly saveEvery?: number | undefined;
  readonly save: () => Promise<void>;
}

/** Takes the steps that are left, or as many as there are before the signal; what was trained is saved then too. */
export async function runTraining({
  trainer,
  progress,
  signal,
  saveEvery,
  save,
}: TrainingRun): Promise<TrainingResult> {
  const { batch, context, steps } = trainer.options;
  const begun = trainer.step;
  const training: LossPoint[] = [];
  progress.show('measuring the loss before the first step');
  const heldOut: LossPoint[] = [{ step: begun, loss: await trainer.evaluate() }];
  let ms = 0;
  while (trainer.step < steps && !signal.aborted) {
    const next = saveEvery === undefined ? steps : (Math.floor(trainer.step / saveEvery) + 1) * saveEvery;
    const began = performance.now();
    const reports = await trainer.advance(Math.min(next, trainer.step + STEPS_AT_ONCE));
    ms += performance.now() - began;
    const loss = reports.reduce((sum, each) => sum + each.loss, 0) / reports.length;
    training.push({ step: trainer.step, loss });
    const rate = (1000 * (trainer.step - begun) * batch * context) / ms;
    progress.show(`loss ${loss.toFixed(3)}, ${Math.round(rate)} tokens/s`, trainer.step / steps);
    if (trainer.step === next && next < steps) {
      heldOut.push({ step: trainer.step, loss: await trainer.evaluate() });
      await save();
    }
  }
  const newSteps = trainer.step - begun;
  if (newSteps > 0) {
    heldOut.push({ step: trainer.step, loss: await trainer.evaluate() });
  }
  // Also without a new step: a run that was ended between a state and its weights is made whole.
  if (trainer.step > 0) await save();
  return {
    training,
    heldOut,
    steps: trainer.step,
    newSteps,
    tokensPerSecond: ms === 0 ? 0 : (1000 * newSteps * batch * context) / ms,
  };
}

/** Where a training's checkpoints go, and what they say. */
export interface Checkpoints {
  readonly folder: string;
  readonly type: SavedType;
  readonly layout: ParameterLayout;
  /** Has the shapes of the tensors. */
  readonly shapes: Pick<TensorReader, 'tensor'>;
  readonly run: RunRecord;
  /** Writes what a loader reads besides: the config, the tokenizer. */
  readonly writeBeside: () => Promise<void>;
  readonly metadata: (step: number) => Readonly<Record<string, string>>;
}

/** Saves a checkpoint: the state first, which a run that is ended between the two goes on from. */
export async function saveCheckpoint(trainer: Trainer, to: Checkpoints): Promise<void> {
  const state = await trainer.state();
  await writeState(to.folder, { state, run: to.run });
  await to.writeBeside();
  const tensors = tensorsOf(to.layout, state.parameters, to.shapes);
  await writeWeights(to.folder, tensors, to.type, to.metadata(state.step));
}

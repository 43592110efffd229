// uptrainRun.ts: what an uptraining does, from its options and from what the checkpoint says of its own training.
import type { Method } from '../../src/checkpoint/convert/plan.ts';
import { GqaError } from '../../src/device/errors.ts';
import type { UptrainSource } from '../../src/train/disk/uptrainSource.ts';
import { RATES } from '../../src/train/sizes.ts';
import type { TrainerOptions } from '../../src/train/trainer.ts';
import type { SavedRun } from './folder.ts';
import type { TrainingFlags } from './trainOptions.ts';
import type { TrainingText } from './trainText.ts';

/** What its options parse to. */
export interface UptrainFlags extends TrainingFlags {
  readonly kvHeads?: number;
  readonly method: Method;
  readonly alpha: number;
  readonly baseSteps?: number;
  readonly distill?: true;
  readonly control?: true;
}

/** What a state says of an uptraining. */
export interface UptrainRun extends SavedRun {
  readonly kind: 'uptrain';
  /** Name of the folder that it began from. */
  readonly source: string;
  readonly kvHeads: number;
  readonly method: Method;
  readonly alpha: number;
  readonly baseSteps: number;
  readonly distill: boolean;
  readonly control: boolean;
}

/** The run that the options ask for. Throws GqaError where nobody says how long the original was trained. */
export function runOf(
  flags: UptrainFlags,
  kvHeads: number,
  { folder, trainedAs, original, savedType }: UptrainSource,
  { hash }: TrainingText,
): UptrainRun {
  const { alpha, method, heldOut, schedule, warmup, weightDecay, clip, seed, windows, distill } = flags;
  const baseSteps = flags.baseSteps ?? trainedAs.steps;
  if (baseSteps === undefined) {
    throw new GqaError(
      'usage',
      "the checkpoint's metadata does not say how many steps it was trained for: expected --base-steps N",
    );
  }
  const positions = original.spec.embedding.positions?.count ?? trainedAs.positions ?? Infinity;
  const { context = trainedAs.context ?? Math.min(256, positions), batch = trainedAs.batch ?? 8 } = flags;
  const steps = Math.max(1, Math.round(alpha * baseSteps));
  return {
    kind: 'uptrain',
    source: folder.name,
    kvHeads,
    method,
    alpha,
    baseSteps,
    distill: distill === true,
    control: flags.control === true,
    heldOut,
    saveType: flags.saveType ?? savedType,
    text: hash,
    options: {
      batch,
      context,
      steps,
      rate: flags.lr ?? RATES.uptrain,
      schedule,
      warmup,
      weightDecay,
      clip,
      seed,
      windows,
    },
  };
}

/** A model that turns by position can be trained past those that its config.json speaks of; that is to be known. */
export function notePositions(
  { context }: TrainerOptions,
  { trainedAs: { positions = Infinity } }: UptrainSource,
  note: (line: string) => void,
): void {
  if (context > positions)
    note(
      `warning  contexts of ${context} are longer than the ${positions} positions that config.json has, and will have`,
    );
}

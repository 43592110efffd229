// protocol.ts: what the page and the worker that trains models say to each other.
import type { LabLoss, LabTraining } from '../../bench/reproduce/run.ts';
import type { ReproduceResult } from '../../bench/schema/reproduceSchema.ts';
import type { Method } from '../../src/checkpoint/convert/plan.ts';
import type { TrainingSizeName } from '../../src/train/sizes.ts';
import type { Failed } from '../shell/onDevice.ts';
import type { ReaderText } from './labText.ts';

/** Files of a checkpoint by name. */
export type CheckpointFiles = Readonly<Record<string, File>>;

/** What to train, convert and train on. */
export interface LabRequest {
  /** The original's files; without them it is trained first, at the size. */
  readonly original?: CheckpointFiles;
  readonly size: TrainingSizeName;
  /** A text of the reader's; without it stories are made up. */
  readonly text?: ReaderText;
  readonly kvHeads: readonly number[];
  readonly methods: readonly Method[];
  /** Shares of the original steps. */
  readonly alphas: readonly number[];
  readonly seeds: readonly number[];
  /** Contexts that losses are measured on. */
  readonly windows: number;
  /** Whether decode steps are timed too: figure 6. */
  readonly times: boolean;
  readonly sample: SampleOptions;
}

/** What each model is to write. */
export interface SampleOptions {
  readonly prompt: string;
  /** Of the prompt and what follows it together, as far as the model has learned. */
  readonly characters: number;
  /** 0 takes the likeliest character. */
  readonly temperature: number;
}

/** What a model wrote behind the prompt. */
export interface Sample {
  readonly training: LabTraining;
  readonly text: string;
}

export type ToLabWorker =
  | { readonly type: 'start'; readonly request: LabRequest; readonly visible: boolean }
  | { readonly type: 'pause'; readonly paused: boolean }
  | { readonly type: 'visible'; readonly visible: boolean };

/** Of a run. `result` is of the seeds that are finished. */
export type LabEvent =
  | { readonly type: 'progress'; readonly text: string; readonly share: number; readonly leftMs?: number }
  | { readonly type: 'loss'; readonly loss: LabLoss }
  | { readonly type: 'sample'; readonly sample: Sample }
  | { readonly type: 'result'; readonly result: ReproduceResult };

/** `done` and `failed` are its last words. */
export type FromLabWorker = LabEvent | { readonly type: 'done' } | Failed;

// trainer.ts: training as a run of steps: batches of a text in, losses out, and a state that another run goes on from bit for bit.
import { GqaError, ShapeError } from '../device/errors.ts';
import type { GqaDevice } from '../device/gqaDevice.ts';
import { checkWhole } from '../device/options.ts';
import { submitted } from '../device/scopes.ts';
import type { ModelSpec } from '../models/decoder/spec.ts';
import { Adamw, FIGURE_SLOTS, type AdamwOptions, type Moments, type StepFigures } from './adamw.ts';
import type { BatchSizes } from './attention.ts';
import { checkRate, rateAt, type RateOptions } from './schedule.ts';
import { batchAt, heldOutWindows, type TokenParts } from './text/batches.ts';
import { TrainingModel } from './trainingModel.ts';

/** How a model is trained. */
export interface TrainerOptions extends BatchSizes, RateOptions, Partial<AdamwOptions> {
  /** Which windows of the text each step takes. */
  readonly seed: number;
  /** Windows of the held-out part that the loss is measured on; rounded up to whole batches. Default 128. */
  readonly windows?: number;
}

/** What AdamW has where an option is left out: the usual numbers of small language models. */
export const ADAMW_DEFAULTS: AdamwOptions = {
  beta1: 0.9,
  beta2: 0.99,
  eps: 1e-8,
  weightDecay: 0.05,
  clip: 1,
};

const WINDOWS = 128;

/** Parameters, and all that training goes on from. */
export interface TrainingState {
  /** Steps that were taken. */
  readonly step: number;
  readonly parameters: Float32Array<ArrayBuffer>;
  readonly moments: Moments;
}

/** The figures of a step, which begin at 1. */
export interface StepReport extends StepFigures {
  readonly step: number;
  readonly rate: number;
}

/** What a trainer trains: a model, and the text. */
export interface TrainerArgs {
  readonly spec: ModelSpec;
  /** As `readParameters` gives them. */
  readonly parameters: Float32Array<ArrayBuffer>;
  readonly text: TokenParts;
  /** A model whose logits are learned in place of the text's own tokens; the trainer does not destroy it. */
  readonly teacher?: TrainingModel;
  /** Where to go on from. Default: the first step. */
  readonly state?: TrainingState;
}

/** Training of a model. */
export class Trainer {
  /** @internal */
  readonly model: TrainingModel;
  readonly options: TrainerOptions;
  readonly #optimiser: Adamw;
  readonly #text: TokenParts;
  readonly #owned: { destroy(): void } | undefined;
  #step: number;
  #destroyed = false;
  #diverged: GqaError | undefined;

  /** @internal Use createTrainer. */
  private constructor(
    model: TrainingModel,
    optimiser: Adamw,
    options: TrainerOptions,
    text: TokenParts,
    step: number,
    owned: { destroy(): void } | undefined,
  ) {
    this.model = model;
    this.#optimiser = optimiser;
    this.options = options;
    this.#text = text;
    this.#step = step;
    this.#owned = owned;
  }

  /**
   * @internal Use createTrainer. Allocates all that training needs; `owned` is destroyed with it. Throws ShapeError for what cannot be trained so,
   * LimitExceededError and GpuError for want of memory.
   */
  static async create(
    device: GqaDevice,
    args: TrainerArgs,
    options: TrainerOptions,
    owned?: { destroy(): void },
  ): Promise<Trainer> {
    const { spec, parameters, text, teacher, state } = args;
    if (state) checkWhole('train: steps of the state', state.step, 0, 2 ** 31);
    checkOptions(spec, text, options);
    const { batch, context } = options;
    const model = await TrainingModel.create(device, spec, state?.parameters ?? parameters, {
      batch,
      context,
      learns: true,
      ...(teacher && { teacher }),
    });
    try {
      const optimiser = await Adamw.create(model, { ...ADAMW_DEFAULTS, ...adamwOptions(options) });
      if (state) optimiser.writeMoments(state.moments);
      return new Trainer(model, optimiser, options, text, state?.step ?? 0, owned);
    } catch (error) {
      model.destroy();
      throw error;
    }
  }

  /** Steps that were taken. */
  get step(): number {
    return this.#step;
  }

  /**
   * Takes steps up to one, at most 64 at a time, and waits for them. Throws GqaError with code `diverged` when a loss or a
   * gradient is not finite, naming the first such step: parameters are worth nothing then.
   */
  async advance(to: number): Promise<StepReport[]> {
    checkWhole('Trainer.advance: to', to, 0, Number.MAX_SAFE_INTEGER);
    if (this.#diverged) throw this.#diverged;
    const from = this.#step + 1;
    const last = Math.min(to, this.options.steps, this.#step + FIGURE_SLOTS);
    if (last < from) return [];
    for (let step = from; step <= last; step++) await this.#submit(step);
    this.#step = last;
    const figures = await this.#optimiser.readFigures(from, last);
    const reports = figures.map((each, i) => ({
      ...each,
      step: from + i,
      rate: rateAt(this.options, from + i),
    }));
    const bad = reports.find(({ loss, norm }) => !Number.isFinite(loss) || !Number.isFinite(norm));
    if (bad) {
      this.#diverged = divergence(bad.step, `loss ${bad.loss}, norm of the gradients ${bad.norm}`);
      throw this.#diverged;
    }
    return reports;
  }

  /**
   * Mean loss on the held-out text, in nats a token, by the parameters as they are. Throws GqaError with code `diverged` when it is not
   * finite, as after the last step of all, whose parameters no step has tried.
   */
  async evaluate(): Promise<number> {
    const loss = await meanLoss(this.model, this.#text, this.options);
    if (!Number.isFinite(loss)) throw divergence(this.#step, `loss ${loss} on held-out text`);
    return loss;
  }

  /** What another trainer with the same options goes on from. Throws the error that a diverged training has ended with. */
  async state(): Promise<TrainingState> {
    if (this.#diverged) throw this.#diverged;
    return {
      step: this.#step,
      parameters: await this.model.readParameters(),
      moments: await this.#optimiser.readMoments(),
    };
  }

  /** Frees the model, the optimiser, and the teacher. Idempotent. */
  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#optimiser.destroy();
    this.model.destroy();
    this.#owned?.destroy();
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  async #submit(step: number): Promise<void> {
    const { batch, context, seed } = this.options;
    this.model.place(batchAt({ tokens: this.#text.training, seed, step, batch, context }));
    await submitted(this.model.device, `training step ${step}`, (encoder) => {
      this.model.recordGradients(encoder);
      this.#optimiser.record(encoder, { step, rate: rateAt(this.options, step) });
    });
  }
}

/** Mean loss of a model on held-out text, in nats a token. */
export async function meanLoss(
  model: TrainingModel,
  { heldOut }: TokenParts,
  { batch, context, windows = WINDOWS }: Pick<TrainerOptions, 'batch' | 'context' | 'windows'>,
): Promise<number> {
  const rows = Math.ceil(windows / batch) * batch;
  const all = heldOutWindows({ tokens: heldOut, windows: rows, context });
  let sum = 0;
  for (let row = 0; row < rows; row += batch) {
    const part = (list: Uint32Array<ArrayBuffer>) => list.slice(row * context, (row + batch) * context);
    for (const loss of await model.evaluate({ tokens: part(all.tokens), targets: part(all.targets) }))
      sum += loss;
  }
  return sum / (rows * context);
}

function divergence(step: number, found: string): GqaError {
  // Before the first step no rate is to blame.
  const hint = step > 0 ? '; a lower learning rate or a longer warm-up may help' : '';
  return new GqaError('diverged', `training: step ${step}: ${found}: expected finite numbers${hint}`);
}

function adamwOptions({ beta1, beta2, eps, weightDecay, clip }: TrainerOptions): Partial<AdamwOptions> {
  const given = { beta1, beta2, eps, weightDecay, clip };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function checkOptions(spec: ModelSpec, { training, heldOut }: TokenParts, options: TrainerOptions): void {
  const { batch, context, steps, seed, windows = WINDOWS } = options;
  checkWhole('train: batch', batch, 1, 2 ** 16);
  checkWhole('train: context', context, 1, spec.embedding.positions?.count ?? 2 ** 20);
  checkWhole('train: steps', steps, 1, 2 ** 31);
  checkWhole('train: seed', seed, 0, 2 ** 32 - 1);
  checkWhole('train: windows', windows, 1, 2 ** 20);
  checkRate(options);
  for (const [part, tokens] of Object.entries({ training, 'held-out': heldOut })) {
    if (tokens.length <= context) {
      throw new ShapeError(
        `train: ${part} text: expected more than ${context} tokens, a context, got ${tokens.length}`,
      );
    }
    const outside = tokens.find((token: number) => token >= spec.vocabSize);
    if (outside !== undefined) {
      throw new ShapeError(
        `train: ${part} text: token ${outside} is outside of the vocabulary of ${spec.vocabSize}`,
      );
    }
  }
}

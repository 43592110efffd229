// adamw.ts: AdamW over all parameters of a training model, and what it finds of each step: the mean loss and the gradients' norm.
import { ShapeError } from '../device/errors.ts';
import { checkFinite, describe } from '../device/options.ts';
import { allocated, copyAllOut, writeData, type BufferRange } from '../device/buffers.ts';
import { bindKernel, dispatch, type BoundKernel } from '../device/record.ts';
import { StepRing } from '../device/ring.ts';
import {
  adamw,
  adamwGrid,
  adamwNumbers,
  squareParts,
  squareSums,
  squareSumsGrid,
  squareSumsNumbers,
  stepFigures,
  stepFiguresGrid,
  stepFiguresNumbers,
} from '../kernels/train/optimiser.ts';
import { TRAIN_STEP_WORDS, trainStepWords } from '../kernels/train/trainStep.ts';
import { Binder, wholeRange, type Recorded } from './binder.ts';
import type { TrainingModel } from './trainingModel.ts';

/** Steps whose figures are kept until they are read. */
export const FIGURE_SLOTS = 64;

/** What stays through training. */
export interface AdamwOptions {
  /** How much of the gradients' moving average a step keeps, below 1. */
  readonly beta1: number;
  /** The same of the average of their squares. */
  readonly beta2: number;
  /** Added to the root that steps are divided by. */
  readonly eps: number;
  /** Of matrices, for each step times its rate; norms and biases do not decay. */
  readonly weightDecay: number;
  /** The greatest norm of all gradients together, to which larger ones are scaled down; 0: any. */
  readonly clip: number;
}

/** A step's mean loss, in nats a token, and its gradients' norm before it is clipped. */
export interface StepFigures {
  readonly loss: number;
  readonly norm: number;
}

/** Moving averages of the gradients and of their squares, [layout.count] each. */
export interface Moments {
  readonly first: Float32Array<ArrayBuffer>;
  readonly second: Float32Array<ArrayBuffer>;
}

interface Buffers {
  readonly first: BufferRange;
  readonly second: BufferRange;
  readonly figures: BufferRange;
  readonly sums: BufferRange;
  destroy(): void;
}

/** An optimiser of a model. */
export class Adamw {
  readonly #model: TrainingModel;
  readonly #options: AdamwOptions;
  readonly #buffers: Buffers;
  readonly #binder: Binder;
  readonly #ring: StepRing;
  readonly #squares: Recorded;
  readonly #figures: BoundKernel;
  readonly #update: BoundKernel;

  private constructor(
    model: TrainingModel,
    options: AdamwOptions,
    buffers: Buffers,
    binder: Binder,
    ring: StepRing,
    bound: { readonly squares: Recorded; readonly figures: BoundKernel; readonly update: BoundKernel },
  ) {
    this.#model = model;
    this.#options = options;
    this.#buffers = buffers;
    this.#binder = binder;
    this.#ring = ring;
    this.#squares = bound.squares;
    this.#figures = bound.figures;
    this.#update = bound.update;
  }

  /** Allocates moments of zeros. Throws ShapeError for options that no step comes from, GpuError when the memory cannot be had. */
  static async create(model: TrainingModel, options: AdamwOptions): Promise<Adamw> {
    checkAdamw(options);
    const { device, layout } = model;
    const parts = squareParts(layout.count, device.facts);
    const buffers = await allocated(device, "an optimiser's moments", (create): Buffers => {
      const make = (label: string, count: number) => wholeRange(create(label, count * 4));
      const made = {
        first: make('first moments', layout.count),
        second: make('second moments', layout.count),
        figures: make('figures', FIGURE_SLOTS * 2),
        sums: make('sums of squares', parts),
      };
      return { ...made, destroy: () => Object.values(made).forEach(({ buffer }) => buffer.destroy()) };
    });
    const binder = new Binder(device);
    const ring = new StepRing(device, 'train step', TRAIN_STEP_WORDS);
    try {
      const bound = await bindAll(model, options, buffers, binder, ring, parts);
      return new Adamw(model, options, buffers, binder, ring, bound);
    } catch (error) {
      for (const each of [ring, binder, buffers]) each.destroy();
      throw error;
    }
  }

  /**
   * Records what becomes of the parameters by the gradients recorded before: the t-th step, from 1 on, at a rate. One whose loss
   * or norm is not finite leaves all as it is.
   */
  record(encoder: GPUCommandEncoder, { step, rate }: { readonly step: number; readonly rate: number }): void {
    const { batch, context } = this.#model.sizes;
    const { beta1, beta2, weightDecay, clip } = this.#options;
    const offset = this.#ring.place(
      trainStepWords({
        slot: step % FIGURE_SLOTS,
        losses: batch * context,
        counted: batch * context,
        rate,
        weightDecay,
        clip,
        correction1: 1 - beta1 ** step,
        correction2: 1 - beta2 ** step,
      }),
    );
    const pass = encoder.beginComputePass({ label: 'adamw' });
    this.#squares(pass);
    dispatch(pass, this.#figures, stepFiguresGrid(), offset);
    dispatch(pass, this.#update, adamwGrid(this.#model.layout), offset);
    pass.end();
  }

  /** Waits for the steps from one up to another, of which there may be FIGURE_SLOTS, and gives their figures. */
  async readFigures(from: number, to: number): Promise<StepFigures[]> {
    const bytes = await copyAllOut(this.#model.device, 'figures', [this.#buffers.figures]);
    const all = new Float32Array(bytes);
    return Array.from({ length: to - from + 1 }, (_, i) => {
      const slot = (from + i) % FIGURE_SLOTS;
      return { loss: all[2 * slot]!, norm: all[2 * slot + 1]! };
    });
  }

  /** Reads the moments back: with the parameters and the number of steps, all that training goes on from. */
  async readMoments(): Promise<Moments> {
    const { first, second } = this.#buffers;
    const { device } = this.#model;
    return {
      first: new Float32Array(await copyAllOut(device, 'first moments', [first])),
      second: new Float32Array(await copyAllOut(device, 'second moments', [second])),
    };
  }

  /** Puts moments in the place of its own. Throws ShapeError for those of another model. */
  writeMoments({ first, second }: Moments): void {
    const { count } = this.#model.layout;
    for (const { length } of [first, second])
      if (length !== count) throw new ShapeError(`train: expected ${count} moments, got ${length}`);
    writeData(this.#model.device, this.#buffers.first, first);
    writeData(this.#model.device, this.#buffers.second, second);
  }

  /** Frees the moments. */
  destroy(): void {
    for (const each of [this.#ring, this.#binder, this.#buffers]) each.destroy();
  }
}

function checkAdamw({ beta1, beta2, eps, weightDecay, clip }: AdamwOptions): void {
  for (const [name, beta] of Object.entries({ beta1, beta2 }))
    if (typeof beta !== 'number' || !(beta >= 0 && beta < 1))
      throw new ShapeError(`train: ${name}: expected a number from 0 to less than 1, got ${describe(beta)}`);
  if (typeof eps !== 'number' || !(eps > 0) || !Number.isFinite(eps))
    throw new ShapeError(`train: eps: expected a positive number, got ${describe(eps)}`);
  checkFinite('train: weightDecay', weightDecay, 0);
  checkFinite('train: clip', clip, 0);
}

async function bindAll(
  model: TrainingModel,
  { beta1, beta2, eps }: AdamwOptions,
  { first, second, figures, sums }: Buffers,
  binder: Binder,
  step: StepRing,
  parts: number,
): Promise<{ squares: Recorded; figures: BoundKernel; update: BoundKernel }> {
  const { device, layout } = model;
  const gradients = wholeRange(model.gradients);
  const { count, decayed } = layout;
  const ofFigures = await device.pipelines.get(stepFigures());
  const ofUpdate = await device.pipelines.get(adamw());
  return {
    squares: await binder.bind({
      kernel: squareSums(),
      grid: squareSumsGrid({ parts }),
      numbers: squareSumsNumbers({ count, parts }),
      buffers: { gradients, sums },
    }),
    figures: bindKernel(device.gpu, ofFigures, {
      losses: wholeRange(model.losses),
      sums,
      figures,
      step,
      numbers: binder.uniform('step_figures numbers', stepFiguresNumbers({ parts })),
    }),
    update: bindKernel(device.gpu, ofUpdate, {
      gradients,
      parameters: wholeRange(model.parameters),
      first,
      second,
      figures,
      step,
      numbers: binder.uniform('adamw numbers', adamwNumbers({ count, decayed, beta1, beta2, eps })),
    }),
  };
}

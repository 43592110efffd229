// optimiser.ts: kernels from gradients to parameters: their norm, the figures of a step, AdamW.
import finiteSums from '../../../shaders/lib/train/finite_sums.wgsl?raw';
import adamwSource from '../../../shaders/train/adamw.wgsl?raw';
import squareSumsSource from '../../../shaders/train/square_sums.wgsl?raw';
import stepFiguresSource from '../../../shaders/train/step_figures.wgsl?raw';
import type { DeviceFacts } from '../../device/deviceFacts.ts';
import { structLayout } from '../../device/structs.ts';
import { link } from '../../device/wgsl.ts';
import type { Grid, Kernel } from '../kernel.ts';
import { foldedGrid } from './grid.ts';
import { TRAIN_STEP } from './trainStep.ts';

const WG_SIZE = 64;

/** Gradients, and the parts that their squares are summed in. */
export interface SquareSumsSizes {
  readonly count: number;
  readonly parts: number;
}

/** Sums of squares, in parts. */
export function squareSums(): Kernel {
  const source = link({ kernel: squareSumsSource, libs: [finiteSums], consts: { WG_SIZE } });
  return { name: 'square_sums', source };
}

export function squareSumsGrid({ parts }: Pick<SquareSumsSizes, 'parts'>): Grid {
  return [parts, 1, 1];
}

/** Parts for so many gradients: a few for each thread of a CPU; on a GPU workgroups that fill it, of no fewer than four rounds each. */
export function squareParts(count: number, { software }: Pick<DeviceFacts, 'software'>): number {
  const rounds = Math.ceil(count / 4 / WG_SIZE);
  return Math.max(1, Math.min(Math.ceil(rounds / 4), software ? 16 : 512));
}

const SQUARE_SUMS = structLayout(squareSumsSource, 'SquareSumsNumbers', { count: 'u32', parts: 'u32' });

/** The words of its `numbers` binding. */
export function squareSumsNumbers({ count, parts }: SquareSumsSizes): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(SQUARE_SUMS.words);
  words[SQUARE_SUMS.word.count] = count;
  words[SQUARE_SUMS.word.parts] = parts;
  return words;
}

/** The mean loss of a step and the norm of its gradients, by the sums of their squares. */
export function stepFigures(): Kernel {
  const libs = [finiteSums, TRAIN_STEP];
  return { name: 'step_figures', source: link({ kernel: stepFiguresSource, libs, consts: { WG_SIZE } }) };
}

export function stepFiguresGrid(): Grid {
  return [1, 1, 1];
}

const STEP_FIGURES = structLayout(stepFiguresSource, 'StepFiguresNumbers', { parts: 'u32' });

/** The words of its `numbers` binding: how many sums of squares there are. */
export function stepFiguresNumbers({ parts }: Pick<SquareSumsSizes, 'parts'>): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(STEP_FIGURES.words);
  words[STEP_FIGURES.word.parts] = parts;
  return words;
}

/** The numbers of an optimiser that stay through training. */
export interface AdamwSizes {
  readonly count: number;
  /** Elements below it decay. */
  readonly decayed: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
}

/** A step of all parameters. */
export function adamw(): Kernel {
  return {
    name: 'adamw',
    source: link({ kernel: adamwSource, libs: [TRAIN_STEP], consts: { WG_SIZE } }),
  };
}

export function adamwGrid({ count }: Pick<AdamwSizes, 'count'>): Grid {
  return foldedGrid(Math.ceil(count / 4 / WG_SIZE));
}

const ADAMW = structLayout(adamwSource, 'AdamwNumbers', {
  count: 'u32',
  decayed: 'u32',
  beta1: 'f32',
  rest1: 'f32',
  beta2: 'f32',
  rest2: 'f32',
  eps: 'f32',
});

/** The words of its `numbers` binding. */
export function adamwNumbers({ count, decayed, beta1, beta2, eps }: AdamwSizes): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(ADAMW.words);
  const floats = new Float32Array(words.buffer);
  words[ADAMW.word.count] = count;
  words[ADAMW.word.decayed] = decayed;
  floats[ADAMW.word.beta1] = beta1;
  floats[ADAMW.word.rest1] = 1 - beta1;
  floats[ADAMW.word.beta2] = beta2;
  floats[ADAMW.word.rest2] = 1 - beta2;
  floats[ADAMW.word.eps] = eps;
  return words;
}

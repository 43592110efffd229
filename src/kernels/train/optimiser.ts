// optimiser.ts: kernels from gradients to parameters: their norm, the figures of a step, AdamW.
import finiteSums from '../../../shaders/lib/train/finite_sums.wgsl?raw';
import adamwSource from '../../../shaders/train/adamw.wgsl?raw';
import squareSumsSource from '../../../shaders/train/square_sums.wgsl?raw';
import stepFiguresSource from '../../../shaders/train/step_figures.wgsl?raw';
import type { DeviceFacts } from '../../device/deviceFacts.ts';
import { link } from '../../device/wgsl.ts';
import type { Grid, Kernel } from '../kernel.ts';
import { foldedGrid } from './grid.ts';
import { numbersOf } from './numbers.ts';
import { TRAIN_STEP } from './trainStep.ts';

const WG_SIZE = 64;

/** Sums of squares, in parts. */
export function squareSums(): Kernel {
  const source = link({ kernel: squareSumsSource, libs: [finiteSums], consts: { WG_SIZE } });
  return { name: 'square_sums', source };
}

/** A workgroup for each part. */
export function squareSumsGrid({ parts }: { readonly parts: number }): Grid {
  return [parts, 1, 1];
}

/** Parts for so many gradients: on a CPU a few for its threads, on a GPU workgroups that fill it; of four rounds or more each. */
export function squareParts(count: number, { software }: Pick<DeviceFacts, 'software'>): number {
  const rounds = Math.ceil(count / 4 / WG_SIZE);
  return Math.max(1, Math.min(Math.ceil(rounds / 4), software ? 8 : 512));
}

/** The words of its `numbers` binding: of `count` gradients. */
export const squareSumsNumbers = numbersOf(squareSumsSource, 'SquareSumsNumbers', {
  count: 'u32',
  parts: 'u32',
});

/** The mean loss of a step and the norm of its gradients, by the sums of their squares. */
export function stepFigures(): Kernel {
  const libs = [finiteSums, TRAIN_STEP];
  return { name: 'step_figures', source: link({ kernel: stepFiguresSource, libs, consts: { WG_SIZE } }) };
}

/** One workgroup. */
export function stepFiguresGrid(): Grid {
  return [1, 1, 1];
}

/** The words of its `numbers` binding: how many sums of squares there are. */
export const stepFiguresNumbers = numbersOf(stepFiguresSource, 'StepFiguresNumbers', { parts: 'u32' });

/** What stays through all steps of an optimiser. */
export interface AdamwNumbers {
  /** Of parameters. */
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

/** Workgroups for so many parameters. */
export function adamwGrid({ count }: Pick<AdamwNumbers, 'count'>): Grid {
  return foldedGrid(Math.ceil(count / 4 / WG_SIZE));
}

const packAdamw = numbersOf(adamwSource, 'AdamwNumbers', {
  count: 'u32',
  decayed: 'u32',
  beta1: 'f32',
  rest1: 'f32',
  beta2: 'f32',
  rest2: 'f32',
  eps: 'f32',
});

/** The words of its `numbers` binding. */
export function adamwNumbers(numbers: AdamwNumbers): Uint32Array<ArrayBuffer> {
  return packAdamw({ ...numbers, rest1: 1 - numbers.beta1, rest2: 1 - numbers.beta2 });
}

// options.ts: what a run of the paper's figures is told, and what it does where it is not told.
import { METHODS, type Method } from '../../src/checkpoint/convert/plan.ts';
import type { DeviceFacts } from '../../src/device/deviceFacts.ts';
import type { LabText, Original } from './lab.ts';
import { TRAINING_SIZES, type TrainingSizeName } from '../../src/train/sizes.ts';

/** What to train, convert and train on. */
export interface ReproduceOptions {
  /** Of the model that is trained, where no original is given. */
  readonly size: TrainingSizeName;
  /** A multi-head model that was trained before. */
  readonly original?: Original;
  /** What is learned. Default: generated stories. */
  readonly text?: LabText;
  readonly seeds: readonly number[];
  /** Shares of the original steps. */
  readonly alphas: readonly number[];
  readonly kvHeads: readonly number[];
  readonly methods: readonly Method[];
  /** Contexts of the held-out text that losses are measured on, evenly spread. Default 128. */
  readonly windows?: number;
  /** Whether decode steps are timed too, at so many tokens. */
  readonly depth: number | undefined;
}

/** Those of the paper's figure 5, and one in between. */
export const ALPHAS = [0, 0.01, 0.02, 0.05, 0.1];

/** Tokens at which K and V outweigh the weights of a size. */
const DEPTHS: Readonly<Record<TrainingSizeName, number>> = { tiny: 1024, small: 2048, demo: 8192 };

/** The same for models of any size, within what every device has. */
const ORIGINAL_DEPTH = 2048;

/** The size for a device: seconds on SwiftShader, a few minutes on other CPUs, and on GPUs. */
export function sizeFor({ software, vendor }: Pick<DeviceFacts, 'software' | 'vendor'>): TrainingSizeName {
  if (!software) return 'demo';
  return /google/i.test(vendor) ? 'tiny' : 'small';
}

/** What is not given takes its default: all methods, all numbers of KV heads but the model's own, two seeds. */
export function reproduceOptions(
  given: Partial<Omit<ReproduceOptions, 'depth'>> & { readonly times: boolean },
  facts: Pick<DeviceFacts, 'software' | 'vendor'>,
): ReproduceOptions {
  const { size = sizeFor(facts), seeds = [1, 2], alphas = ALPHAS, methods = METHODS, times } = given;
  const { original, text, windows } = given;
  const { kvHeads = fewerHeads(original?.size.heads ?? TRAINING_SIZES[size].heads) } = given;
  return {
    size,
    ...(original && { original }),
    ...(text && { text }),
    ...(windows !== undefined && { windows }),
    seeds,
    alphas,
    methods,
    kvHeads,
    depth: times ? depthOf(size, original) : undefined,
  };
}

/** The numbers of KV heads that a model of so many heads can be converted to, from the greatest down. */
export function fewerHeads(heads: number): number[] {
  return Array.from({ length: heads - 1 }, (_, i) => heads - 1 - i).filter((count) => heads % count === 0);
}

function depthOf(size: TrainingSizeName, original: Original | undefined): number {
  return original ? ORIGINAL_DEPTH : DEPTHS[size];
}

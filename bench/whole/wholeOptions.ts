// wholeOptions.ts: what a run of whole models may be told, and the rows that it comes to.
import type { KvType } from '../../src/index.ts';
import type { ModelSource } from '../../src/models/decoder/modelSource.ts';
import type { Variant } from '../model/variants.ts';
import type { RunContext } from '../run/options.ts';
import type { SamplingOptions } from '../run/sampling.ts';
import type { TimerHooks } from '../run/timer.ts';

/** Where the variants of a model come from. */
export interface WholeModel {
  readonly name: string;
  /** Whether weights are random. */
  readonly isRandom: boolean;
  open(variant: Variant): Promise<ModelSource>;
}

/** What to run and for how long. */
export interface WholeOptions extends SamplingOptions, TimerHooks {
  readonly model: WholeModel;
  readonly variants: readonly Variant[];
  readonly depths: readonly number[];
  readonly batches: readonly number[];
  /** Tokens of prompts, beside the depths of steps. */
  readonly prompts?: readonly number[];
  readonly kType: KvType;
  readonly vType: KvType;
  /** Default: that of the checkpoint. */
  readonly weightType?: KvType;
  readonly check: boolean;
  /** Size of the last-level cache, where the host knows it: of the CPU behind a software adapter. */
  readonly lastLevelCacheBytes?: number;
  readonly context: RunContext;
}

/** A batch at a depth, or of prompts: what is timed interleaved. */
export interface WholeLoad {
  readonly batch: number;
  /** Of prompts their tokens. */
  readonly depth: number;
  readonly prompt?: number;
}

/** All of a run, depths and prompts of a batch together. */
export function loadsOf({
  batches,
  depths,
  prompts = [],
}: Pick<WholeOptions, 'batches' | 'depths' | 'prompts'>): WholeLoad[] {
  return [...new Set(batches)].flatMap((batch) => [
    ...[...new Set(depths)].map((depth) => ({ batch, depth })),
    ...[...new Set(prompts)].map((prompt) => ({ batch, depth: prompt, prompt })),
  ]);
}

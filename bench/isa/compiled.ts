// compiled.ts: what one process that compiled for a family tells the one that asked for it.
import type { FusedVariant } from '../../src/index.ts';

/** A kernel that was compiled; `label` names it in the files of layer/pipelines.c. */
export interface CompiledKernel {
  readonly label: string;
  readonly name: string;
}

/** A step and the kernels that it comes to; several steps share most of them. */
export interface CompiledCase {
  readonly id: string;
  readonly headDim: number;
  readonly variant: FusedVariant;
  readonly labels: readonly string[];
}

/** What became of the cases of a run. */
export interface Compiled {
  /** As the driver calls the GPU. */
  readonly adapter: string;
  readonly kernels: readonly CompiledKernel[];
  readonly cases: readonly CompiledCase[];
  /** Cases that the device cannot run, with the error's message. */
  readonly refused: readonly { readonly id: string; readonly why: string }[];
}

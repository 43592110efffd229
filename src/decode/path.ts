// path.ts: what the fused and the plain path have in common.
import type { BufferRange } from '../device/buffers.ts';
import type { StepRing } from '../device/ring.ts';
import type { LayerSegment } from '../cache/layers.ts';
import type { DecodePlan, PlanPart } from './plan.ts';

/** A kernel path with its scratch. */
export interface DecodePath {
  /** Compiles the kernels of steps with or without log-sum-exps, which take a binding more; each once. */
  compile(lse: boolean): Promise<BindStep>;
  destroy(): void;
}

/** Binds a step's buffers. `lse` is there when the kernels write it. */
export type BindStep = (buffers: StepBuffers) => RecordStep;

/** Records a step's dispatches: of each part, then what joins them. */
export interface RecordStep {
  part(pass: GPUComputePassEncoder, plan: DecodePlan, part: PlanPart, stepOffset: number): void;
  join(pass: GPUComputePassEncoder, plan: DecodePlan, stepOffset: number): void;
}

/** The checked buffers of one step. */
export interface StepBuffers {
  readonly q: BufferRange;
  /** Where the layer lies. */
  readonly segments: readonly LayerSegment[];
  readonly o: BufferRange;
  readonly lse?: BufferRange;
  /** What features need, for the kernels that declare it. */
  readonly features: { readonly head_numbers?: BufferRange; readonly bias?: BufferRange };
  readonly ring: StepRing;
}

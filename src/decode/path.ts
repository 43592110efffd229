// path.ts: what the fused and the plain path have in common.
import type { BufferRange, CreateBuffer } from '../device/buffers.ts';
import type { StepRing } from '../device/ring.ts';
import type { DecodePlan } from './plan.ts';

/** A kernel path with its pipelines and scratch: binds a step's buffers and records its dispatches. */
export interface DecodePath {
  bind(buffers: StepBuffers): (pass: GPUComputePassEncoder, plan: DecodePlan, stepOffset: number) => void;
  destroy(): void;
}

/** What is left once the pipelines are compiled: allocates the scratch. */
export type CreatePath = (create: CreateBuffer) => DecodePath;

/** The checked buffers of one step. */
export interface StepBuffers {
  readonly q: BufferRange;
  readonly k: BufferRange;
  readonly v: BufferRange;
  readonly o: BufferRange;
  /** Where steps write log-sum-exps. */
  readonly lse?: BufferRange;
  readonly ring: StepRing;
}

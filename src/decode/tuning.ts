// tuning.ts: what was measured on a device: the variant and the slots that were fastest for a class of shapes. Plain data.
import type { FusedVariant } from '../kernels/fused.ts';

/** The fastest of what was tried for one class of shapes. */
export interface TunedEntry {
  readonly variant: FusedVariant;
  /** Workgroups that a plan aims for. */
  readonly slots: number;
}

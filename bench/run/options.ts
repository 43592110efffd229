// options.ts: what a run may be told.
import type { Tuning } from '../../src/index.ts';
import type { BenchContext, CeilingContext } from '../schema/schema.ts';
import type { RowOptions } from './rows.ts';
import type { SamplingOptions } from './sampling.ts';
import type { TimerHooks } from './timer.ts';

/** What to run and for how long. */
export interface BenchOptions extends RowOptions, SamplingOptions, TimerHooks {
  readonly check: boolean;
  /** What was measured on devices before; `auto` uses it. */
  readonly tuning?: Tuning;
  /** Where that was read from, for warnings. */
  readonly tuningSource?: string;
  /** The read ceiling of this device, where it was measured before: it is not measured again then. */
  readonly ceiling?: CeilingContext;
  /** Size of the last-level cache, where the host knows it: of the CPU behind a software adapter. */
  readonly lastLevelCacheBytes?: number;
  readonly context: RunContext;
}

/** What only the host knows. */
export interface RunContext {
  readonly version: string;
  readonly commit?: string;
  readonly runtime: BenchContext['runtime'];
  readonly label?: string;
  readonly nonStandard: Readonly<Record<string, string>>;
  readonly crossOriginIsolated?: boolean;
}

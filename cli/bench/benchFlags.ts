// benchFlags.ts: what the options of `gqa bench` parse to.
import type { BenchFeature } from '../../bench/schema/benchFeatures.ts';
import type { RowParams } from '../../bench/schema/schema.ts';
import type { Method } from '../../src/checkpoint/convert/plan.ts';
import type { KernelChoice } from '../../src/decode/planContext.ts';
import type { AdapterOptions } from '../../src/node/command/openNode.ts';
import type { CacheTypes } from '../../src/node/command/options.ts';
import type { KvType } from '../../src/numbers/elements.ts';
import type { BenchFormat } from './benchOutput.ts';

export interface BenchFlags extends AdapterOptions, CacheTypes<readonly KvType[]> {
  readonly model: string;
  readonly whole?: string;
  readonly method: readonly Method[];
  readonly weightType?: KvType;
  readonly heads?: number;
  readonly kvHeads?: readonly number[];
  readonly headDim?: number;
  readonly depth?: readonly number[];
  readonly capacity?: number;
  readonly batch: readonly number[];
  readonly requests?: readonly string[];
  readonly prompt?: readonly number[];
  readonly pageSize?: readonly number[];
  readonly window?: readonly number[];
  readonly sharedPrefix?: readonly number[];
  readonly features?: readonly (readonly BenchFeature[])[];
  readonly cache: readonly RowParams['cache'][];
  readonly kernel: readonly KernelChoice[];
  readonly tuning: boolean;
  readonly reps?: number;
  readonly maxTime?: number;
  readonly runtime: 'node' | 'chrome';
  readonly seed: number;
  readonly check: boolean;
  readonly label?: string;
  readonly output: BenchFormat;
  readonly exportJson?: string;
}

// benchOptions.ts: from the flags of `gqa bench` to what is run.
import type { BenchOptions, RunContext } from '../../bench/run/options.ts';
import { spectrum } from '../../bench/run/rows.ts';
import { STANDARD_DEPTHS } from '../../bench/run/standardRun.ts';
import { ShapeError } from '../../src/device/errors.ts';
import { lastLevelCache } from '../../src/node/runtimeContext.ts';
import { readTuning, tuningPath } from '../../src/node/tuningFile.ts';
import { loadShape } from '../kv/loadShape.ts';
import type { BenchFlags } from './benchFlags.ts';
import { nonStandard } from './nonStandard.ts';

/** What of a run its shape is. */
export type BenchShape = Pick<BenchOptions, 'model' | 'heads' | 'headDim' | 'kvHeads'>;

/** Where a run takes place. */
export interface BenchHost {
  readonly software: boolean;
  readonly context: Omit<RunContext, 'label' | 'nonStandard'>;
}

/** Name, query heads, KV heads and head dim from the flags, or from the model where they are silent. */
export async function benchShape(flags: BenchFlags): Promise<BenchShape> {
  const byHand = flags.heads !== undefined && flags.headDim !== undefined;
  const model = await loadShape(flags.model);
  const heads = flags.heads ?? model.numQHeads;
  const headDim = flags.headDim ?? model.headDim;
  const fromModel = heads === model.numQHeads ? spectrum(heads, model.numKvHeads) : spectrum(heads, heads);
  const kvHeads = flags.kvHeads ?? fromModel;
  const bad = kvHeads.find((kv) => heads % kv !== 0);
  if (bad !== undefined)
    throw new ShapeError(`bench: heads (${heads}) must be a multiple of kv-heads (${bad})`);
  return { model: byHand ? 'custom' : model.name, heads, headDim, kvHeads };
}

/** All that a host is told to run; `say` hears what the host changes of it. */
export function benchOptions(
  flags: BenchFlags,
  shape: BenchShape,
  { software, context }: BenchHost,
  say: (line: string) => void,
): BenchOptions {
  return {
    ...shape,
    depths: depthsOf(flags, software, say),
    ...(flags.capacity && { capacity: flags.capacity }),
    batches: flags.batch,
    kTypes: flags.cacheTypeK,
    vTypes: flags.cacheTypeV ?? flags.cacheTypeK,
    ...(flags.requests && { requests: flags.requests }),
    ...(flags.prompt && { prompts: flags.prompt }),
    ...(flags.pageSize && { pageSizes: flags.pageSize }),
    ...(flags.window && { windows: flags.window }),
    ...(flags.sharedPrefix && { sharedPrefixes: flags.sharedPrefix }),
    ...(flags.features && { features: flags.features }),
    caches: flags.cache,
    kernels: [...new Set(flags.kernel)],
    ...(flags.tuning && tuningOf()),
    ...lastLevelCache(software),
    seed: flags.seed,
    check: flags.check,
    ...(flags.reps && { reps: flags.reps }),
    ...(flags.maxTime && { maxTimeMs: flags.maxTime * 1000 }),
    context: { ...context, ...(flags.label && { label: flags.label }), nonStandard: nonStandard(flags) },
  };
}

/** Those asked for, or the standard ones, which are fewer on a software adapter. */
function depthsOf(flags: BenchFlags, software: boolean, say: (line: string) => void): readonly number[] {
  if (flags.depth || flags.prompt) return flags.depth ?? [];
  const depths = STANDARD_DEPTHS[software ? 'software' : 'gpu'];
  if (software && !flags.requests)
    say(
      `note     on a software adapter the standard run shrinks to depths ${depths.join(', ')} (a GPU gets ${STANDARD_DEPTHS.gpu.join(', ')})`,
    );
  return depths;
}

function tuningOf(): Pick<BenchOptions, 'tuning' | 'tuningSource'> {
  const path = tuningPath();
  return { tuning: readTuning(), ...(path !== undefined && { tuningSource: path }) };
}

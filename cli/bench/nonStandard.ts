// nonStandard.ts: what of a command line makes a run another than the standard one.
import { STANDARD_RUN } from '../../bench/run/standardRun.ts';
import type { BenchFlags } from './benchFlags.ts';

type Flag = string | number | boolean | readonly (string | number)[] | undefined;

/** The flags that change what is measured and differ from the standard run, by long name, as text. */
export function nonStandard(flags: BenchFlags): Record<string, string> {
  const given: Readonly<Record<string, readonly [Flag, Flag?]>> = {
    model: [flags.model, STANDARD_RUN.model],
    heads: [flags.heads],
    'kv-heads': [flags.kvHeads],
    'head-dim': [flags.headDim],
    depth: [flags.depth],
    capacity: [flags.capacity],
    batch: [flags.batch, STANDARD_RUN.batches],
    'cache-type-k': [flags.cacheTypeK, STANDARD_RUN.kTypes],
    'cache-type-v': [flags.cacheTypeV],
    requests: [flags.requests],
    prompt: [flags.prompt],
    'page-size': [flags.pageSize],
    window: [flags.window],
    'shared-prefix': [flags.sharedPrefix],
    features: [flags.features?.map((names) => names.join('+') || 'none')],
    cache: [flags.cache, STANDARD_RUN.caches],
    kernel: [flags.kernel, STANDARD_RUN.kernels],
    reps: [flags.reps],
    'max-time': [flags.maxTime],
    seed: [flags.seed, STANDARD_RUN.seed],
    check: [flags.check, STANDARD_RUN.check],
  };
  const changed = Object.entries(given).filter(
    ([, [value, standard]]) => value !== undefined && String(value) !== String(standard),
  );
  return Object.fromEntries(changed.map(([name, [value]]) => [name, String(value)]));
}

// wholeResult.ts: results of whole models with invented samples, for tests of what reads them.
import type { WholeParams, WholeResult, WholeRow } from '../../bench/schema/wholeSchema.ts';
import { WHOLE_SCHEMA } from '../../bench/schema/version.ts';
import { result } from './benchResult.ts';

/** A row of these samples, in nanoseconds. */
export function wholeRow(samplesNs: readonly number[], more: Partial<WholeParams> = {}): WholeRow {
  const params: WholeParams = {
    model: 'smollm',
    layers: 2,
    heads: 8,
    kvHeads: 8,
    headDim: 16,
    batch: 1,
    depth: 64,
    kType: 'f16',
    vType: 'f16',
    ...more,
  };
  const { kvHeads, method, batch, depth, prompt } = params;
  const sorted = samplesNs.toSorted((a, b) => a - b);
  return {
    id: `kv${kvHeads}${method ? `_${method}` : ''}_b${batch}_${prompt === undefined ? `d${depth}` : `pp${prompt}`}`,
    variant: 'mha',
    params,
    bytes: { weights: 2 ** 20, kv: 2 ** 10 },
    dispatches: 17,
    cold: prompt === undefined,
    check: { ref: 'cpu-f64', pass: true, maxAbsErr: 0, bound: 1e-3 },
    time: {
      stepsPerSample: 1,
      samplesNs: [...samplesNs],
      wallNs: [],
      firstNs: 1,
      median: sorted[sorted.length >> 1]!,
      ci95: null,
      min: sorted[0]!,
      stop: 'converged',
    },
    warnings: [],
  };
}

/** A run of these rows. */
export function wholeResultOf(results: readonly WholeRow[]): WholeResult {
  const { suite, context } = result([]);
  const { host: _, ...rest } = context;
  return {
    schema: WHOLE_SCHEMA,
    suite,
    context: { ...rest, randomWeights: false },
    results,
  };
}

// benchFeatures.ts: the features that a row of the benchmark may have.

/** Features that a row may have, by the names of `gqa attend`. */
export const BENCH_FEATURES = ['softcap', 'sink-logits', 'alibi', 'bias'] as const;
export type BenchFeature = (typeof BENCH_FEATURES)[number];

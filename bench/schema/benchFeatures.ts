// benchFeatures.ts: the features that a row of the benchmark may have.

/**
 * Features that a row may have. Those of scores and sums have `gqa attend`'s names; a tree's mask is over the positions of a step, and rows
 * are turned (RoPE) and normalised (QK-norm) where they are appended.
 */
export const BENCH_FEATURES = ['softcap', 'sink-logits', 'alibi', 'bias', 'tree', 'rope', 'qk-norm'] as const;
export type BenchFeature = (typeof BENCH_FEATURES)[number];

// limits.ts: the largest sizes of a model that are taken for real.

/** They are many times those of any model; past them a file is broken, or a number was mistyped. */
export const SHAPE_LIMITS = {
  layers: 10_000,
  heads: 10_000,
  headDim: 65_536,
  hiddenSize: 2 ** 24,
  window: 2 ** 31,
};

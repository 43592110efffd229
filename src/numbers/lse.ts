// lse.ts: the log-sum-exp of a row with nothing to attend to, on the host; lib/numbers.wgsl has it for shaders.

/**
 * Log-sum-exp of a row with nothing to attend to, and of no other: a row with keys has one of -2.9e38 or more, or NaN where
 * a score is none. WGSL may assume that infinities never occur, so this finite floor stands for minus infinity; merging gives
 * any LSE at or below it weight 0, and NaN to a row of which any state has NaN or infinity.
 */
export const LSE_EMPTY = Math.fround(-3.0e38);

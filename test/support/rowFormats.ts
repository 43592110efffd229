// rowFormats.ts: how the rows of most kernel tests are stored.
import type { RowFormats } from '../../src/kernels/rowFormats.ts';

/** f32, with log-sum-exps. */
export const F32_ROWS: RowFormats = { q: 'f32', o: 'f32', lse: true };

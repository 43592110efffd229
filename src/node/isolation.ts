// isolation.ts: the headers that pages of this project are served with.

/** Cross-origin isolation gives a page steps of 5 us of performance.now() instead of 100 us. */
export const isolation = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

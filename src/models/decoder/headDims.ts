// headDims.ts: heads as caches take them: their dim a multiple of eight, what is behind a head's own elements zeros.

/** Elements that a head takes. */
export function paddedHeadDim(headDim: number): number {
  return Math.ceil(headDim / 8) * 8;
}

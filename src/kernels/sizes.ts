// sizes.ts: the arithmetic of tile and workgroup sizes.

/** The size of equal blocks of at most `most` that cover `count`. */
export function evenBlocks(count: number, most: number): number {
  return Math.ceil(count / Math.ceil(count / most));
}

/** The smallest power of two that is at least `count`. */
export function powerOfTwoFrom(count: number): number {
  return 2 ** Math.ceil(Math.log2(count));
}

/** The largest power of two that is at most `count`. */
export function powerOfTwoUpTo(count: number): number {
  return 2 ** Math.floor(Math.log2(count));
}

export function isPowerOfTwo(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0 && 2 ** Math.round(Math.log2(value)) === value;
}

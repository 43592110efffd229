// philox.ts: random numbers by counter instead of by state: the same for a counter and a key, in whatever order they are asked for.

/** Four words of 32 bits. */
export type Words4 = readonly [number, number, number, number];

/** Rounds that pass all statistical tests of the paper with room to spare. */
const ROUNDS = 10;

/** Philox 4x32-10: four uniform random words of a counter under a key. (Salmon and others 2011, "Parallel random numbers: as easy as 1, 2, 3".) */
export function philox(counter: Words4, key: readonly [number, number]): Words4 {
  let [a, b, c, d] = counter.map((word) => word >>> 0) as [number, number, number, number];
  let [k0, k1] = [key[0] >>> 0, key[1] >>> 0];
  for (let round = 0; round < ROUNDS; round++) {
    const [high0, low0] = product(0xd2511f53, a);
    const [high1, low1] = product(0xcd9e8d57, c);
    [a, b, c, d] = [(high1 ^ b ^ k0) >>> 0, low1, (high0 ^ d ^ k1) >>> 0, low0];
    // The golden ratio, and the square root of 3 less 1.
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [a, b, c, d];
}

/** The high and the low word of a product of two words. */
function product(a: number, b: number): [high: number, low: number] {
  // Halves of b: a times one of them is below 2^48, which a number holds exactly.
  const low = a * (b & 0xffff);
  const high = a * (b >>> 16) + Math.floor(low / 0x10000);
  return [Math.floor(high / 0x10000), Math.imul(a, b) >>> 0];
}

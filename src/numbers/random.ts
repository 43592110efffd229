// random.ts: seeded random numbers, the same on every machine.

/** The seed of whatever is random, unless another is given. */
export const DEFAULT_SEED = 42;

/** A generator of uniform numbers in [0, 1): mulberry32. */
export function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
  };
}

// A prime, so that the period of long data is no multiple of any head's or token's size.
const PERIOD = 1_048_573;

/** `count` standard normal numbers by the Box-Muller transform; from the 1,048,573rd on they repeat. */
export function normals(seed: number, count: number): Float32Array<ArrayBuffer> {
  const next = uniform(seed);
  const out = new Float32Array(count);
  const fresh = Math.min(count, PERIOD);
  for (let i = 0; i < fresh; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - next()));
    const angle = 2 * Math.PI * next();
    out[i] = radius * Math.cos(angle);
    if (i + 1 < fresh) out[i + 1] = radius * Math.sin(angle);
  }
  for (let i = PERIOD; i < count; i += PERIOD) out.copyWithin(i, 0, Math.min(PERIOD, count - i));
  return out;
}

/** A Fisher-Yates shuffle of a copy. */
export function shuffled<T>(items: readonly T[], next: () => number): T[] {
  const out = [...items];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
}

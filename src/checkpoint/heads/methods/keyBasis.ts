// keyBasis.ts: what may be done to a key and its queries without a change to their scores.
import type { Positions } from '../../../models/families/family.ts';

/** Two elements of a head that rotary positions turn together, as one complex number. */
export interface Plane {
  readonly i: number;
  readonly j: number;
  /** Any angle, or only 0 and 180 degrees: what stands between projection and score (a norm's weights) allows no other. */
  readonly turn: 'any' | 'sign';
}

/** The freedom of keys. */
export interface KeyBasis {
  readonly planes: readonly Plane[];
  /** Elements that carry no position: any orthogonal matrix may act on them. */
  readonly free: readonly number[];
  /** Elements that must stay as they are. */
  readonly fixed: readonly number[];
  /** False where keys are normalised after their projection, so that only their direction counts. */
  readonly scalable: boolean;
}

/** How q and k are normalised per head: not at all, without weights, or with these weights. */
export type QkNorm = 'none' | 'plain' | { readonly q: ArrayLike<number>; readonly k: ArrayLike<number> };

/**
 * The basis of keys of `headDim` elements. A rotary plane commutes with any rotation and scaling within it; weights of a
 * norm that differ between its two elements leave only the sign.
 */
export function keyBasis(headDim: number, { pairing, rotaryDims }: Positions, norm: QkNorm): KeyBasis {
  const rotated = pairing === 'none' ? 0 : rotaryDims;
  const weights = typeof norm === 'string' ? [] : [norm.q, norm.k];
  const equal = (indices: readonly number[]) =>
    weights.every((w) => indices.every((i) => w[i] === w[indices[0]!]));
  const planes = Array.from({ length: rotated / 2 }, (_, p) => {
    const [i, j] = pairing === 'half' ? [p, p + rotated / 2] : [2 * p, 2 * p + 1];
    return { i, j, turn: equal([i, j]) ? ('any' as const) : ('sign' as const) };
  });
  const rest = Array.from({ length: headDim - rotated }, (_, i) => rotated + i);
  const freeRest = equal(rest);
  return {
    planes,
    free: freeRest ? rest : [],
    fixed: freeRest ? [] : rest,
    scalable: norm === 'none',
  };
}

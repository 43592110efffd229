// slopes.ts: slopes of causal attention by central differences in float64, for the twins of its backward pass.
import { expect } from 'vitest';
import { trainedAttention, type AttentionBackward } from '../reference/trainedAttention.ts';

/** Far enough for float64, near enough for what a slope changes by. */
const STEP = 1e-4;

/** How fast sum(o * d_o) grows with these elements of an input. */
export function slopes(p: AttentionBackward, name: 'q' | 'k' | 'v', elements: readonly number[]): number[] {
  const moved = Float64Array.from(p[name]);
  const loss = () =>
    trainedAttention({ ...p, [name]: moved }).o.reduce((sum, x, i) => sum + x * p.d_o[i]!, 0);
  return elements.map((i) => {
    const value = moved[i]!;
    moved[i] = value + STEP;
    const above = loss();
    moved[i] = value - STEP;
    const below = loss();
    moved[i] = value;
    return (above - below) / (2 * STEP);
  });
}

/** Where the elements of gradients [B * T, Hkv, D] lie in k and v. */
export function storedPlaces({ batch, length, numKvHeads, headDim, capacity }: AttentionBackward): number[] {
  return Array.from({ length: batch * length * numKvHeads * headDim }, (_, i) => {
    const [d, head, token] = [
      i % headDim,
      Math.floor(i / headDim) % numKvHeads,
      Math.floor(i / headDim / numKvHeads),
    ];
    const slot = (Math.floor(token / length) * numKvHeads + head) * capacity + (token % length);
    return slot * headDim + d;
  });
}

/** Gradients are what they should be, as far as differences can tell. */
export function expectSlopes(gradient: ArrayLike<number>, wanted: readonly number[]): void {
  expect(gradient.length).toBe(wanted.length);
  const largest = Math.max(...wanted.map(Math.abs));
  expect(largest).toBeGreaterThan(0.1);
  const wrong = wanted.flatMap((want, i) =>
    Math.abs(gradient[i]! - want) <= 1e-6 * largest ? [] : [`${i}: expected ${want}, got ${gradient[i]}`],
  );
  expect(wrong.slice(0, 5)).toEqual([]);
}

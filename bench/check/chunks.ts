// chunks.ts: the query positions of one step, of a problem that may have more: lengths and rows. Pure.
import { qLenOf, type AttentionProblem } from '../../src/reference/attentionProblem.ts';

/** Query positions `first` to `first + positions - 1`, and what each sequence has in a step over them. */
export interface Chunk {
  readonly first: number;
  readonly positions: number;
  /** [B] */
  readonly kvLens: readonly number[];
  /** [B] */
  readonly qLens: readonly number[];
}

/**
 * A step aligns its last position to the last of its keys, so under causality a chunk has only the keys up to those that its last
 * position sees.
 */
export function chunkOf(
  problem: Pick<AttentionProblem, 'kvLens' | 'qLens' | 'qLen' | 'causal'>,
  first: number,
  positions: number,
): Chunk {
  const qLens = problem.kvLens.map((_, b) => Math.min(positions, Math.max(0, qLenOf(problem, b) - first)));
  const kvLens = problem.kvLens.map((kvLen, b) => {
    const later = Math.max(0, qLenOf(problem, b) - first - qLens[b]!);
    return problem.causal ? Math.max(0, kvLen - later) : kvLen;
  });
  return { first, positions, kvLens, qLens };
}

/**
 * Copies `count` positions of each head from position `first` of [heads, positions, dim] to [heads, ...place of the target], whose
 * place is its number of positions and the first to write.
 */
export function copyPositions(
  source: Float32Array,
  [heads, positions, dim]: readonly [heads: number, positions: number, dim: number],
  first: number,
  target: Float32Array,
  [targetPositions, targetFirst]: readonly [positions: number, first: number],
  count: number,
): void {
  for (let head = 0; head < heads; head++) {
    const from = (head * positions + first) * dim;
    const to = (head * targetPositions + targetFirst) * dim;
    target.set(source.subarray(from, from + count * dim), to);
  }
}

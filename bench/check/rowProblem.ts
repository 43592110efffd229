// rowProblem.ts: single rows of a problem as problems of their own, where all of them would take float64 too long.
import { storeProblem, type StoredProblem } from '../../src/reference/problem.ts';
import type { ProblemRelativeBias } from '../../src/reference/problemFeatures.ts';

/** Sequence, query head and position of a row. */
export type RowAt = readonly [b: number, head: number, position: number];

/** Rows that stand for a prompt of `qLen` positions: the first ones, the last ones, and between, in different heads and sequences. */
export function spotRows({
  batch,
  numQHeads,
  qLen,
}: Pick<StoredProblem, 'batch' | 'numQHeads' | 'qLen'>): RowAt[] {
  const positions = [0, 1, Math.floor(qLen / 2), Math.floor((qLen * 3) / 4), qLen - 2, qLen - 1];
  return [...new Set(positions.map((position) => Math.max(0, Math.min(position, qLen - 1))))].map(
    (position, n) => [n % batch, (n * 7 + numQHeads - 1) % numQHeads, position] as const,
  );
}

/**
 * One row's attention: its query over the keys that causality leaves it. Of problems whose sequences have as many keys as positions, or
 * more, and features without trees.
 */
export function rowProblem(problem: StoredProblem, [b, head, position]: RowAt): StoredProblem {
  const { numQHeads, numKvHeads, headDim, vHeadDim, qLen, capacity, kType, vType, smScale } = problem;
  const kvLen = problem.kvLens[b]! - (qLen - 1 - position);
  const row = ((b * numQHeads + head) * qLen + position) * headDim;
  const kvHead = b * numKvHeads + Math.floor((head * numKvHeads) / numQHeads);
  const seen = (values: Float32Array<ArrayBuffer>, dim: number) =>
    values.slice(kvHead * capacity * dim, (kvHead * capacity + kvLen) * dim);
  return storeProblem({
    numQHeads: 1,
    numKvHeads: 1,
    headDim,
    vHeadDim,
    kvLens: [kvLen],
    kType,
    vType,
    smScale,
    q: problem.q.slice(row, row + headDim),
    k: seen(problem.k, headDim),
    v: seen(problem.v, vHeadDim),
    ...(problem.features && { features: rowFeatures(problem, [b, head, position], kvLen) }),
  });
}

function rowFeatures({ features = {} }: StoredProblem, [b, head, position]: RowAt, kvLen: number) {
  const { sinkLogits, alibiSlopes, bias, relativeBias, treeMasks: _, ...rest } = features;
  const at = (axis: number, index: number) => (bias!.shape[axis] === 1 ? 0 : index);
  const [, heads, positions, keys] = bias?.shape ?? [1, 1, 1, 1];
  const start = bias && ((at(0, b) * heads + at(1, head)) * positions + at(2, position)) * keys;
  return {
    ...rest,
    ...(sinkLogits && { sinkLogits: [sinkLogits[head]!] }),
    ...(alibiSlopes && { alibiSlopes: [alibiSlopes[head]!] }),
    ...(relativeBias && { relativeBias: biasOfHead(relativeBias, head) }),
    ...(bias && {
      bias: { shape: [1, 1, 1, kvLen] as const, values: bias.values.slice(start, start! + kvLen) },
    }),
  };
}

function biasOfHead({ farthest, values }: ProblemRelativeBias, head: number): ProblemRelativeBias {
  const width = 2 * farthest + 1;
  return { farthest, values: values.slice(head * width, (head + 1) * width) };
}

// notFinite.ts: values of a result that are NaN or infinite: how many there are, and where the first is. Pure.
import { vHeadDimOf, type AttentionProblem } from './attentionProblem.ts';

/** The axes of an output, for saying where a value is. */
export type ResultShape = Pick<AttentionProblem, 'batch' | 'numQHeads' | 'qLen' | 'headDim' | 'vHeadDim'>;

/** `[b, h, i, d] = [0, 3, 0, 17]` of an index into o. */
export function placeInO(shape: ResultShape, at: number): string {
  const dim = vHeadDimOf(shape);
  const place = [...rowPlace(shape, Math.floor(at / dim)), at % dim];
  return `[b, h, i, d] = [${place.join(', ')}]`;
}

function rowPlace({ numQHeads, qLen }: ResultShape, row: number): number[] {
  const head = Math.floor(row / qLen);
  return [Math.floor(head / numQHeads), head % numQHeads, row % qLen];
}

/**
 * What is not finite in o [B, Hq, Lq, Dv] and lse [B, Hq, Lq], in words: `128 of 512 values of o and 2 of 8 of lse are not
 * finite, the first is NaN at [b, h, i, d] = [0, 0, 0, 0]`. Undefined when all is.
 */
export function notFiniteText(
  shape: ResultShape,
  o: ArrayLike<number>,
  lse: ArrayLike<number>,
): string | undefined {
  const [inO, inLse] = [notFinite(o), notFinite(lse)];
  const counts = [
    ...(inO.count > 0 ? [`${inO.count} of ${o.length} values of o`] : []),
    ...(inLse.count > 0 ? [`${inLse.count} of ${lse.length} of lse`] : []),
  ];
  if (counts.length === 0) return undefined;
  const first =
    inO.count > 0
      ? `${o[inO.first]} at ${placeInO(shape, inO.first)}`
      : `${lse[inLse.first]} at [b, h, i] = [${rowPlace(shape, inLse.first).join(', ')}]`;
  return `${counts.join(' and ')} are not finite, the first is ${first}`;
}

function notFinite(values: ArrayLike<number>): { count: number; first: number } {
  let [count, first] = [0, 0];
  for (let i = values.length - 1; i >= 0; i--) {
    if (Number.isFinite(values[i])) continue;
    count++;
    first = i;
  }
  return { count, first };
}

// decodeTiles.ts: twin of shaders/attention/decode_tiles.wgsl: what each query row gets from each item of a plan.
import {
  exact,
  isScore,
  qLenOf,
  UNWRITTEN,
  vHeadDimOf,
  visibleKeys,
  type AttentionProblem,
  type Round,
} from '../../src/reference/attention.ts';

/** The shaders' NEG_MAX: the lowest finite f32, a state's maximum before it saw a key. */
export const NEG_MAX = -3.4028234663852886e38;

/** The shaders' BAD_SCORE: the greatest finite f32, the maximum of a row with a score that is none. */
export const BAD_SCORE = -NEG_MAX;

/** A piece of work: keys begin .. end - 1 of sequence b, and the index of the partial state that it leaves. */
export interface Item {
  readonly b: number;
  readonly begin: number;
  readonly end: number;
  /** Left out for an item that is all of its sequence: it writes the output itself. */
  readonly state?: number;
}

/**
 * What a fused kernel writes. Sequences that are one item: o [B, Hq, Lq, Dv] and lse [B, Hq, Lq]. All others, for each of
 * their items: m and l [states, Hq * Lq], the greatest score and the sum of exp(score - m), and partialO
 * [states, Hq * Lq, Dv], the sum of exp(score - m) * v; without a visible key m = NEG_MAX, l = 0, partialO = 0. UNWRITTEN
 * stands for what is not written.
 */
export interface FusedResult {
  readonly o: Float64Array;
  readonly lse: Float64Array;
  readonly m: Float64Array;
  readonly l: Float64Array;
  readonly partialO: Float64Array;
}

/** The state of one row over some keys: o is not yet divided by l. */
export interface RowState {
  readonly m: number;
  readonly l: number;
  readonly o: Float64Array;
}

/** The results of all items, by plain loops over each one's keys. */
export function decodeTiles(p: AttentionProblem, items: readonly Item[], round: Round = exact): FusedResult {
  return resultOf(p, items, round, (row, { begin, end }) => stateOf(p, row, keys(begin, end), round));
}

/** Every row of every item, its state by `attend`, where the kernels write it. Rows are counted [B, Hq, Lq]. */
export function resultOf(
  p: AttentionProblem,
  items: readonly Item[],
  round: Round,
  attend: (row: number, item: Item) => RowState,
): FusedResult {
  const rows = p.numQHeads * p.qLen; // of a sequence
  const dim = vHeadDimOf(p);
  const states = items.filter(({ state }) => state !== undefined).length * rows;
  const unwritten = (count: number) => new Float64Array(count).fill(UNWRITTEN);
  const result = {
    o: unwritten(p.batch * rows * dim),
    lse: unwritten(p.batch * rows),
    m: unwritten(states),
    l: unwritten(states),
    partialO: unwritten(states * dim),
  };
  for (const item of items) {
    for (let row = 0; row < rows; row++) {
      if (row % p.qLen >= qLenOf(p, item.b)) continue;
      const { m, l, o } = attend(item.b * rows + row, item);
      if (item.state === undefined) {
        const at = item.b * rows + row;
        const whole = resultOfState({ m, l, o }, round);
        result.o.set(whole.o, at * dim);
        result.lse[at] = whole.lse;
      } else {
        const at = item.state * rows + row;
        result.m[at] = m;
        result.l[at] = l;
        result.partialO.set(o, at * dim);
      }
    }
  }
  return result;
}

/** Output and log-sum-exp of a whole row: 0 and minus infinity without a visible key, NaN with a score that is none. */
export function resultOfState({ m, l, o }: RowState, round: Round): { o: Float64Array; lse: number } {
  if (l === 0) return { o, lse: -Infinity };
  if (m === BAD_SCORE) return { o: o.map(() => NaN), lse: NaN };
  return { o: o.map((x) => round(x / l)), lse: round(m + round(Math.log(l))) };
}

/** Whole numbers begin, begin + step ... below end. */
export function keys(begin: number, end: number, step = 1): number[] {
  return Array.from({ length: Math.max(0, Math.ceil((end - begin) / step)) }, (_, i) => begin + i * step);
}

/** The state of a row over those of `candidates` that it may see. */
export function stateOf(
  p: AttentionProblem,
  row: number,
  candidates: readonly number[],
  round: Round,
): RowState {
  const b = Math.floor(row / (p.numQHeads * p.qLen));
  const visible = candidates.filter((t) => t < visibleKeys(p, b, row % p.qLen));
  const scores = visible.map((t) => keptScore(scoreOf(p, row, t, round)));
  const m = Math.max(NEG_MAX, ...scores);
  const dim = vHeadDimOf(p);
  const o = new Float64Array(dim);
  let l = 0;
  scores.forEach((score, j) => {
    const weight = round(Math.exp(round(score - m)));
    l = round(l + weight);
    const value = slotOf(p, row, visible[j]!) * dim;
    for (let d = 0; d < dim; d++) o[d] = round(o[d]! + round(weight * p.v[value + d]!));
  });
  return { m, l, o };
}

/** A visible key's score as the kernels keep it. */
export function keptScore(score: number): number {
  return isScore(score) ? score : BAD_SCORE;
}

/** The scaled score of a row and the key at position t. */
function scoreOf(p: AttentionProblem, row: number, t: number, round: Round): number {
  const key = slotOf(p, row, t) * p.headDim;
  let dot = 0;
  for (let d = 0; d < p.headDim; d++) dot = round(dot + round(p.q[row * p.headDim + d]! * p.k[key + d]!));
  return round(dot * p.smScale);
}

/** The slot, of all of the cache, that a row has at position t: its query head h reads KV head floor(h / G). */
function slotOf(p: AttentionProblem, row: number, t: number): number {
  const head = Math.floor(row / p.qLen); // b * Hq + h
  const b = Math.floor(head / p.numQHeads);
  const hk = Math.floor((head % p.numQHeads) / (p.numQHeads / p.numKvHeads));
  return (b * p.numKvHeads + hk) * p.capacity + t;
}

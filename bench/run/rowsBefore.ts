// rowsBefore.ts: rows as they are before an append, in float64: those that come to given ones once they are normalised and turned.
import { ropeFrequencies } from '../../src/numbers/rope.ts';

/** What an append does to rows: normalises by weights [D] and eps, then turns by the position. */
export interface Turns {
  readonly rope?: true;
  readonly norm?: { readonly weights: ArrayLike<number>; readonly eps: number };
}

/** Rows [B, heads, N, D] of the tokens from `held` on: [B]. */
export interface NewRows {
  readonly heads: number;
  readonly numTokens: number;
  readonly headDim: number;
  readonly held: readonly number[];
}

/** The inverse of what an append does to rows. Those to be normalised are of a mean square below that of the weights. */
export function rowsBefore(
  rows: Float32Array,
  { heads, numTokens, headDim, held }: NewRows,
  { rope, norm }: Turns,
): Float32Array<ArrayBuffer> {
  const before = new Float32Array(rows.length);
  const { frequencies } = ropeFrequencies({ headDim });
  for (let at = 0; at < rows.length; at += headDim) {
    const row = at / headDim;
    const position = held[Math.floor(row / (heads * numTokens))]! + (row % numTokens);
    const values = Float64Array.from(rows.subarray(at, at + headDim));
    if (rope) turnBack(values, frequencies, position);
    before.set(norm ? beforeNorm(values, norm) : values, at);
  }
  return before;
}

/** Turns pairs d and d + D / 2 in place, the other way. */
function turnBack(values: Float64Array, frequencies: Float64Array, position: number): void {
  const half = frequencies.length;
  for (let pair = 0; pair < half; pair++) {
    const angle = position * frequencies[pair]!;
    const [c, s] = [Math.cos(angle), Math.sin(angle)];
    const [x, y] = [values[pair]!, values[pair + half]!];
    values[pair] = x * c + y * s;
    values[pair + half] = y * c - x * s;
  }
}

/** Of x / sqrt(mean(x²) + eps) * weights the x: it has the direction of y / weights, and eps says how long it is. */
function beforeNorm(y: Float64Array, { weights, eps }: NonNullable<Turns['norm']>): Float64Array {
  const direction = y.map((value, d) => value / weights[d]!);
  const length = Math.sqrt(eps / (1 - meanSquare(direction)));
  return direction.map((value) => value * length);
}

export function meanSquare(row: Float64Array | Float32Array): number {
  let sum = 0;
  for (const x of row) sum += x * x;
  return sum / row.length;
}

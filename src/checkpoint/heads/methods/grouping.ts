// grouping.ts: which heads go together: groups of equal size whose members are most alike.
import { nuclearNorm } from '../linear/decompose.ts';
import { trace } from '../linear/dense.ts';
import { subBlock } from './aligned.ts';
import type { KeyBasis } from './keyBasis.ts';
import { pairBlock, type Moments } from './moments.ts';
import { planeMoments } from './planes.ts';

/**
 * How alike each two heads are, [g, g]: the mean of the cosines of their keys and of their values. With a basis: of
 * what they are once one is turned onto the other as well as can be, else as they stand.
 */
export function similarities(moments: Moments, basis: KeyBasis | undefined): Float64Array {
  const g = moments.heads.length;
  const k = basis ? alignedKeyInners(moments, basis) : inners(moments, moments.k);
  const v = basis ? alignedValueInners(moments) : inners(moments, moments.v);
  const cosine = (a: Float64Array, s: number, t: number) => {
    const sizes = Math.sqrt(a[s * g + s]! * a[t * g + t]!);
    return sizes > 0 ? a[s * g + t]! / sizes : 0;
  };
  return Float64Array.from(
    { length: g * g },
    (_, at) => (cosine(k, Math.floor(at / g), at % g) + cosine(v, Math.floor(at / g), at % g)) / 2,
  );
}

/** Fills [g, g] from a symmetric function of two heads. */
function pairs(g: number, of: (s: number, t: number) => number): Float64Array {
  const out = new Float64Array(g * g);
  for (let s = 0; s < g; s++) {
    for (let t = s; t < g; t++) {
      out[s * g + t] = of(s, t);
      out[t * g + s] = out[s * g + t]!;
    }
  }
  return out;
}

function inners(moments: Moments, a: Float64Array): Float64Array {
  const d = moments.headDim;
  return pairs(moments.heads.length, (s, t) => trace(pairBlock(a, moments, s, t), d));
}

function alignedValueInners(moments: Moments): Float64Array {
  const d = moments.headDim;
  const { heads, v } = moments;
  return pairs(heads.length, (s, t) =>
    s === t ? trace(pairBlock(v, moments, s, s), d) : nuclearNorm(pairBlock(v, moments, s, t), d),
  );
}

function alignedKeyInners(moments: Moments, basis: KeyBasis): Float64Array {
  const d = moments.headDim;
  const g = moments.heads.length;
  const planes = basis.planes.map((plane) => ({ plane, moments: planeMoments(moments, plane) }));
  return pairs(g, (s, t) => {
    const pair = pairBlock(moments.k, moments, s, t);
    let sum = 0;
    for (const { plane, moments: m } of planes) {
      const [re, im] = [m.re[s * g + t]!, m.im[s * g + t]!];
      sum += plane.turn === 'any' ? Math.hypot(re, im) : Math.abs(re);
    }
    if (basis.free.length > 0) sum += nuclearNorm(subBlock(pair, d, basis.free), basis.free.length);
    for (const i of basis.fixed) sum += pair[i * d + i]!;
    return sum;
  });
}

/**
 * Groups of equal size with a large sum of similarities inside them: from neighbours, exchanging two heads of
 * different groups as long as that helps. Groups go by their first head, and heads within them by number.
 */
export function similarGroups(similarity: Float64Array, groups: number): number[][] {
  const n = Math.sqrt(similarity.length);
  const size = n / groups;
  const groupOf = Array.from({ length: n }, (_, head) => Math.floor(head / size));
  // For each head and group the sum of its similarities to the group's heads.
  const toGroup = (head: number, group: number) => {
    let sum = 0;
    for (let other = 0; other < n; other++) {
      if (groupOf[other] === group && other !== head) sum += similarity[head * n + other]!;
    }
    return sum;
  };
  for (let swaps = 0; swaps < n * n; swaps++) {
    const best = bestSwap(n, groupOf, similarity, toGroup);
    if (!best) break;
    const [a, b] = best;
    [groupOf[a], groupOf[b]] = [groupOf[b]!, groupOf[a]!];
  }
  const members = Array.from({ length: groups }, (_, group) =>
    groupOf.flatMap((of, head) => (of === group ? [head] : [])),
  );
  return members.toSorted((a, b) => a[0]! - b[0]!);
}

const LEAST_GAIN = 1e-12;

function bestSwap(
  n: number,
  groupOf: readonly number[],
  similarity: Float64Array,
  toGroup: (head: number, group: number) => number,
): [number, number] | undefined {
  const groups = Math.max(...groupOf) + 1;
  const sums = Array.from({ length: n * groups }, (_, at) => toGroup(Math.floor(at / groups), at % groups));
  let gain = LEAST_GAIN;
  let best: [number, number] | undefined;
  for (let a = 0; a < n; a++) {
    for (let b = a + 1; b < n; b++) {
      const [ga, gb] = [groupOf[a]!, groupOf[b]!];
      if (ga === gb) continue;
      const after = sums[a * groups + gb]! + sums[b * groups + ga]! - 2 * similarity[a * n + b]!;
      const better = after - sums[a * groups + ga]! - sums[b * groups + gb]!;
      if (better > gain) [gain, best] = [better, [a, b]];
    }
  }
  return best;
}

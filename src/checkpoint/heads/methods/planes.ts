// planes.ts: keys in one rotary plane as complex numbers, and what makes those of several heads alike.
import { leadingHermitian, type Hermitian } from '../linear/decompose.ts';
import type { Plane } from './keyBasis.ts';
import type { Moments } from './moments.ts';

export interface Complex {
  readonly re: number;
  readonly im: number;
}

/** E[z_s conj(z_t)] of the heads' keys in a plane, z = k_i + i k_j, [g, g]. */
export function planeMoments({ heads, headDim: d, k }: Moments, { i, j }: Plane): Hermitian {
  const g = heads.length;
  const at = (s: number, a: number, t: number, b: number) => k[(s * d + a) * g * d + t * d + b]!;
  const re = new Float64Array(g * g);
  const im = new Float64Array(g * g);
  for (let s = 0; s < g; s++) {
    for (let t = 0; t < g; t++) {
      re[s * g + t] = at(s, i, t, i) + at(s, j, t, j);
      im[s * g + t] = at(s, j, t, i) - at(s, i, t, j);
    }
  }
  return { re, im };
}

const MAX_SWEEPS = 100;
const SETTLED = 1e-12;

/** For each head the number of length 1 by which its keys are multiplied so that their sum is as large as it can be. */
export function planePhases(moments: Hermitian, turn: Plane['turn']): Complex[] {
  const g = Math.sqrt(moments.re.length);
  const start = leadingHermitian(moments, g);
  // The leading eigenvector's phases are near the best ones; the first head keeps its keys as they are.
  const phases = Array.from({ length: g }, (_, s) => unit({ re: start.re[s]!, im: -start.im[s]! }, turn));
  let reached = -Infinity;
  for (let sweep = 0; sweep < MAX_SWEEPS; sweep++) {
    let total = 0;
    for (let s = 0; s < g; s++) {
      const sum = sumOfOthers(moments, phases, s);
      const phase = unit(sum, turn);
      phases[s] = phase;
      total += phase.re * sum.re + phase.im * sum.im;
    }
    if (total - reached <= SETTLED * Math.abs(total)) break;
    reached = total;
  }
  const [first] = phases;
  return phases.map((phase) => times(phase, { re: first!.re, im: -first!.im }));
}

/** E[(sum over t != s of p_t z_t) conj(z_s)]: p_s fits best in its direction. */
function sumOfOthers({ re, im }: Hermitian, phases: readonly Complex[], s: number): Complex {
  const g = phases.length;
  let sum: Complex = { re: 0, im: 0 };
  for (let t = 0; t < g; t++) {
    if (t === s) continue;
    const product = times(phases[t]!, { re: re[t * g + s]!, im: im[t * g + s]! });
    sum = { re: sum.re + product.re, im: sum.im + product.im };
  }
  return sum;
}

function unit({ re, im }: Complex, turn: Plane['turn']): Complex {
  if (turn === 'sign') return { re: re < 0 ? -1 : 1, im: 0 };
  const length = Math.hypot(re, im);
  return length > 0 ? { re: re / length, im: im / length } : { re: 1, im: 0 };
}

export function times(a: Complex, b: Complex): Complex {
  return { re: a.re * b.re - a.im * b.im, im: a.re * b.im + a.im * b.re };
}

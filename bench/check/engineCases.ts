// engineCases.ts: what engines need beyond dense rows and plain scores, as cases of the numerics grid. Data only.
import { normals } from '../../src/numbers/random.ts';
import type { ProblemOptions } from '../../src/reference/problem.ts';
import type { ProblemFeatures } from '../../src/reference/problemFeatures.ts';
import { checkCase, type CheckCase } from './checkCase.ts';
import type { ProblemPlaces } from './runProblem.ts';

/** Sequences of other positions, of which one has none; small, as all that is new here knows no head dim. */
const RAGGED = {
  batch: 4,
  numQHeads: 4,
  numKvHeads: 2,
  headDim: 24,
  kvLens: [257, 33, 0, 2],
  qLen: 2,
  qLens: [2, 1, 0, 2],
  kType: 'f16',
} satisfies ProblemOptions;

const { batch, numQHeads, qLen, qLens, kvLens } = RAGGED;
const KEYS = Math.max(...kvLens);

const NUMBERS = {
  softcap: 1.5,
  window: 33,
  sinkTokens: 5,
  sinkLogits: [-2, -0.7, 0.6, 1.9],
  alibiSlopes: [0.02, 0.09, 0.16, 0.23],
  bias: { shape: [batch, numQHeads, qLen, KEYS], values: biasValues() },
  relativeBias: { farthest: 40, values: normals(6, numQHeads * 81) },
  // Siblings, then a chain.
  treeMasks: qLens.map((positions, b) => (b % 2 === 0 ? [0b1n, 0b10n] : [0b1n, 0b11n]).slice(0, positions)),
} satisfies ProblemFeatures;

/** Every fifth key is hidden. */
function biasValues(): Float32Array<ArrayBuffer> {
  return normals(5, batch * numQHeads * qLen * KEYS).map((x, at) => (at % 5 === 0 ? -Infinity : x));
}

const NAMES = Object.keys(NUMBERS) as (keyof typeof NUMBERS)[];

/** Sink tokens are those of a window. */
const featured = (...names: (keyof typeof NUMBERS)[]): CheckCase => {
  const all = names.includes('sinkTokens') ? (['window', ...names] as const) : names;
  return checkCase({ ...RAGGED, features: Object.fromEntries(all.map((name) => [name, NUMBERS[name]])) });
};

/** A tree's slots are not positions: no windows, slopes and distances. A window with its sink tokens is a feature of its own. */
const APART: Partial<Record<keyof ProblemFeatures, readonly (keyof ProblemFeatures)[]>> = {
  treeMasks: ['window', 'sinkTokens', 'alibiSlopes', 'relativeBias'],
  sinkTokens: ['window'],
  relativeBias: ['bias'],
};
const goTogether = (a: keyof ProblemFeatures, b: keyof ProblemFeatures) => !APART[b]?.includes(a);

const ALL = [
  featured('softcap', 'sinkTokens', 'sinkLogits', 'alibiSlopes', 'bias'),
  featured('softcap', 'sinkLogits', 'bias', 'treeMasks'),
  featured('softcap', 'sinkTokens', 'relativeBias'),
];

const PAIRS = NAMES.flatMap((a, i) =>
  NAMES.slice(i + 1)
    .filter((b) => goTogether(a, b))
    .map((b) => featured(a, b)),
);

/** Heads of q, K and V in one buffer, position by position: q's begin behind 8 elements. */
const FUSED = { head: RAGGED.headDim, position: 2 * numQHeads * RAGGED.headDim };

const placed = (places: ProblemPlaces, more: Partial<ProblemOptions> = {}) =>
  checkCase({ ...RAGGED, ...more }, places);

const PLACED = [
  placed({ q: { type: 'f16' }, o: { type: 'f16', layout: 'BLHD' } }),
  placed({ q: { type: 'f16', layout: 'packed' }, o: { layout: 'packed' } }),
  placed({ pageSize: 16 }, { vHeadDim: 72 }),
];

const MORE_PLACED = [
  placed({ q: { layout: 'BLHD' }, o: { type: 'f16', layout: 'packed' } }),
  placed({ q: { layout: FUSED, offset: 8 }, o: { layout: 'BLHD' } }),
  placed({ grown: true }, { vHeadDim: 72 }),
  placed({ grown: true, q: { type: 'f16', layout: 'packed' } }, { kType: 'f32' }),
  placed({ pageSize: 256 }, { kType: 'f32' }),
  placed({ pageSize: 8, q: { layout: 'packed' }, o: { layout: 'packed' } }, ALL[0]!.problem),
];

/** Features alone, by pairs and all together, and rows and tokens in other places: sequences of different positions throughout. */
export const ENGINE_CASES: readonly CheckCase[] = [
  checkCase(RAGGED),
  ...NAMES.map((name) => featured(name)),
  ...PAIRS,
  ...ALL,
  ...PLACED,
  ...MORE_PLACED,
];

/** Those that hold each of these things once, by the template that the device would take. */
export const ENGINE_SOFTWARE_CASES: readonly CheckCase[] = [...ALL, ...PLACED].map((each): CheckCase => ({
  ...each,
  variants: 'chosen',
}));

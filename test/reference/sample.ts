// sample.ts: twin of shaders/model/sample.wgsl: the likeliest token, and the tokens that top-k and top-p leave to draw from.

/** How tokens are drawn. */
export interface Draw {
  readonly temperature: number;
  /** 0 for all. */
  readonly topK: number;
  readonly topP: number;
}

/** The first of the tokens with the greatest logit; as many as there are tokens where a logit is not finite. */
export function likeliest(logits: readonly number[]): number {
  return logits.every(Number.isFinite) ? logits.indexOf(Math.max(...logits)) : logits.length;
}

/** What each token is drawn with, [tokens]; 0 for those that are left out. */
export interface Drawn {
  readonly probabilities: readonly number[];
  /** How far the share of probability where tokens end is from `topP` at least: f32 may decide otherwise below its roundings. */
  readonly margin: number;
}

/**
 * Top-k (Fan et al. 2018): the k likeliest. Top-p (Holtzman et al. 2019): of what is left, the fewest likeliest that come to a share of
 * p or more. Tokens as likely as the last one stay in both.
 */
export function drawn(logits: readonly number[], { temperature, topK, topP }: Draw): Drawn {
  const most = Math.max(...logits);
  const weights = logits.map((logit) => Math.exp((logit - most) / temperature));
  const descending = logits.toSorted((a, b) => b - a);
  const ofK = descending[(topK > 0 ? Math.min(topK, logits.length) : logits.length) - 1]!;
  const heavier = (least: number) =>
    weights.reduce((sum, weight, id) => (logits[id]! >= least ? sum + weight : sum), 0);
  const all = heavier(ofK);
  const levels = [...new Set(descending)].filter((level) => level >= ofK);
  const shares = levels.map((level) => heavier(level) / all);
  const last = topP >= 1 ? levels.length - 1 : shares.findIndex((share) => share >= topP);
  const least = levels[last]!;
  const kept = heavier(least);
  const probabilities = weights.map((weight, id) => (logits[id]! >= least ? weight / kept : 0));
  const margin = topP >= 1 ? 1 : Math.min(...shares.map((share) => Math.abs(share - topP)));
  return { probabilities, margin };
}

/** The random share that decides a row's token: three rounds of PCG's hash of 32 bits, over seed, row and position; its upper 24 bits. */
export function randomShare(seed: number, row: number, position: number): number {
  return (pcg(pcg(pcg(seed) + row) + position) >>> 8) / 2 ** 24;
}

/** Jarzynski and Olano 2020, "Hash functions for GPU rendering", listing pcg. */
function pcg(input: number): number {
  const big = BigInt.asUintN(32, BigInt(input));
  const state = BigInt.asUintN(32, big * 747796405n + 2891336453n);
  const word = BigInt.asUintN(32, ((state >> ((state >> 28n) + 4n)) ^ state) * 277803737n);
  return Number((word >> 22n) ^ word);
}

/** The tokens that a share of the probability may fall to, tokens in the order of their ids; `slack`: how far the sums of f32 may be. */
export function tokensAt(probabilities: readonly number[], share: number, slack: number): number[] {
  const found: number[] = [];
  let before = 0;
  for (const [id, probability] of probabilities.entries()) {
    if (probability > 0 && share >= before - slack && share < before + probability + slack) found.push(id);
    before += probability;
  }
  return found;
}

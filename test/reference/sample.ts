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

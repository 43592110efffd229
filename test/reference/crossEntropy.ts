// crossEntropy.ts: twin of shaders/train/cross_entropy.wgsl: losses of rows of logits by a wanted token or a teacher, and their gradients.

/** What a row is to come to: the id of a token, one beyond the vocabulary for nothing, or a teacher's logits. */
export type Goal = number | readonly number[];

function logSoftmax(logits: readonly number[]): number[] {
  const most = Math.max(...logits);
  const sum = logits.reduce((all, logit) => all + Math.exp(logit - most), 0);
  return logits.map((logit) => logit - most - Math.log(sum));
}

/** -log softmax[target] or KL(teacher || student); 0 without a goal, NaN where a logit is not finite. */
export function rowLoss(logits: readonly number[], goal: Goal): number {
  if (typeof goal === 'number' && goal >= logits.length) return 0;
  if (!finite(logits, goal)) return NaN;
  const own = logSoftmax(logits);
  if (typeof goal === 'number') return -own[goal]!;
  return logSoftmax(goal).reduce((sum, log, i) => sum + Math.exp(log) * (log - own[i]!), 0);
}

/** Its gradient times `scale`; zeros without a goal, NaN where a logit is not finite. */
export function rowGradient(logits: readonly number[], goal: Goal, scale: number): number[] {
  if (typeof goal === 'number' && goal >= logits.length) return logits.map(() => 0);
  if (!finite(logits, goal)) return logits.map(() => NaN);
  const wanted =
    typeof goal === 'number'
      ? logits.map((_, i) => (i === goal ? 1 : 0))
      : logSoftmax(goal).map((log) => Math.exp(log));
  return logSoftmax(logits).map((log, i) => (Math.exp(log) - wanted[i]!) * scale);
}

function finite(logits: readonly number[], goal: Goal): boolean {
  return logits.every(Number.isFinite) && (typeof goal === 'number' || goal.every(Number.isFinite));
}

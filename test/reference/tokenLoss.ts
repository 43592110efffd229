// tokenLoss.ts: twin of shaders/model/token_loss.wgsl: the cross-entropy of each row's softmax with its wanted token.

/** -log(softmax(logits)[target]) for each row; 0 for a target that is no token, NaN where a logit is not finite. */
export function tokenLoss(rows: readonly (readonly number[])[], targets: readonly number[]): number[] {
  return rows.map((logits, row) => {
    const target = targets[row]!;
    if (target >= logits.length) return 0;
    if (!logits.every(Number.isFinite)) return NaN;
    const most = Math.max(...logits);
    const sum = logits.reduce((all, logit) => all + Math.exp(logit - most), 0);
    return most - logits[target]! + Math.log(sum);
  });
}

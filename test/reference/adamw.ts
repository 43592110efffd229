// adamw.ts: twin of shaders/train/adamw.wgsl: a step of AdamW with decoupled weight decay, on gradients clipped by their norm.

/** What the optimiser keeps, all of one length. */
export interface AdamwState {
  readonly parameters: readonly number[];
  /** Moving averages of gradients, and of their squares. */
  readonly first: readonly number[];
  readonly second: readonly number[];
}

/** Numbers of the algorithm: `t` counts its steps from 1, elements below `decayed` decay. */
export interface AdamwRule {
  readonly t: number;
  readonly rate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
  readonly decayed: number;
  /** The greatest norm that gradients keep; 0: any. */
  readonly clip: number;
}

/** The state after a step, whose loss and norm are given; the same state where one of them is not finite. */
export function adamw(
  state: AdamwState,
  gradients: readonly number[],
  rule: AdamwRule,
  { loss, norm }: { readonly loss: number; readonly norm: number },
): AdamwState {
  if (!Number.isFinite(loss) || !Number.isFinite(norm)) return state;
  const { t, rate, beta1, beta2, eps, weightDecay, decayed, clip } = rule;
  const factor = clip > 0 ? Math.min(1, clip / norm) : 1;
  const clipped = gradients.map((gradient) => gradient * factor);
  const first = state.first.map((m, i) => beta1 * m + (1 - beta1) * clipped[i]!);
  const second = state.second.map((v, i) => beta2 * v + (1 - beta2) * clipped[i]! ** 2);
  const parameters = state.parameters.map((p, i) => {
    const [m, v] = [first[i]! / (1 - beta1 ** t), second[i]! / (1 - beta2 ** t)];
    return p - rate * (m / (Math.sqrt(v) + eps) + (i < decayed ? weightDecay * p : 0));
  });
  return { parameters, first, second };
}

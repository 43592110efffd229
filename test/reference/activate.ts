// activate.ts: twin of shaders/train/activate.wgsl: an activation, or a gate's, times what is behind the gates of a row.
import type { Activation } from '../../src/kernels/model/product.ts';
import { ACTIVATIONS } from '../../src/models/reference/activations.ts';

/** What is done. */
export interface ActivateForm {
  readonly activation: Activation;
  readonly gated: boolean;
}

/** [rows, width] of rows of width or, where there are gates, of twice that. */
export function activate(
  rows: readonly (readonly number[])[],
  { activation, gated }: ActivateForm,
): number[][] {
  const act = ACTIVATIONS[activation];
  return rows.map((row) => {
    if (!gated) return row.map(act);
    const width = row.length / 2;
    return row.slice(0, width).map((gate, i) => act(gate) * row[width + i]!);
  });
}

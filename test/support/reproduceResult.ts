// reproduceResult.ts: a result of `gqa reproduce`, made up.
import type { ReproduceResult } from '../../bench/schema/reproduceSchema.ts';
import { REPRODUCE_SCHEMA } from '../../bench/schema/version.ts';

/** Two seeds, whose losses are `base` and 0.2 more. */
export function reproduced(base = 2): ReproduceResult {
  const alphas = [0, 0.05];
  const pointsOf = (loss: number) => alphas.map((alpha) => ({ alpha, loss: loss - alpha }));
  return {
    schema: REPRODUCE_SCHEMA,
    context: { version: '0.1.0', adapter: 'a CPU', software: true },
    params: {
      size: 'tiny',
      model: { layers: 1, dim: 32, heads: 4, feedForward: 64 },
      steps: 300,
      batch: 16,
      context: 32,
      text: 'a text',
      alphas,
    },
    runs: [1, 2].map((seed) => {
      const more = base + (seed - 1) * 0.2;
      return {
        seed,
        loss: more,
        control: pointsOf(more),
        curves: [2, 1].flatMap((kvHeads) =>
          (['mean', 'first'] as const).map((method, i) => ({
            kvHeads,
            method,
            points: pointsOf(more + 1 / kvHeads + i / 10),
          })),
        ),
      };
    }),
    decode: [4, 2, 1].map((kvHeads) => ({
      kvHeads,
      depth: 1024,
      kvBytes: kvHeads * 1024,
      stepNs: kvHeads === 2 ? null : 1e5 * kvHeads,
    })),
  };
}

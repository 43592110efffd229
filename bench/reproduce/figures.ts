// figures.ts: the points of the paper's figures 4, 5 and 6 out of a result: means over its seeds, and their spread.
import type { Method } from '../../src/checkpoint/convert/plan.ts';
import type { ReproduceResult } from '../schema/reproduceSchema.ts';

/** What several seeds came to. */
export interface Spread {
  readonly mean: number;
  readonly least: number;
  readonly most: number;
}

export interface AlphaLoss extends Spread {
  readonly alpha: number;
}

/** Losses by alpha of one way to merge to one number of KV heads. */
export interface Line {
  readonly kvHeads: number;
  readonly method: Method;
  readonly points: readonly AlphaLoss[];
}

/** What figure 4 is drawn at: the paper's, where it was trained, else the largest that was. */
export function mainAlpha({ params: { alphas } }: ReproduceResult): number {
  return alphas.includes(0.05) ? 0.05 : Math.max(...alphas);
}

/** Of the multi-head models, before they were trained on. */
export function originalLoss({ runs }: ReproduceResult): Spread {
  return spreadOf(runs.map(({ loss }) => loss));
}

/** Of the multi-head models trained on. */
export function controlLosses({ runs, params: { alphas } }: ReproduceResult): AlphaLoss[] {
  return alphas.map((alpha, i) => ({ alpha, ...spreadOf(runs.map(({ control }) => control[i]!.loss)) }));
}

/** All lines, in the order of the result. */
export function linesOf({ runs, params: { alphas } }: ReproduceResult): Line[] {
  return (runs[0]?.curves ?? []).map(({ kvHeads, method }, c) => ({
    kvHeads,
    method,
    points: alphas.map((alpha, i) => ({
      alpha,
      ...spreadOf(runs.map(({ curves }) => curves[c]!.points[i]!.loss)),
    })),
  }));
}

function spreadOf(values: readonly number[]): Spread {
  const sum = values.reduce((total, value) => total + value, 0);
  return { mean: sum / values.length, least: Math.min(...values), most: Math.max(...values) };
}

// check.ts: whether the ways of a layer compute the same: outputs against float64, stored bytes and counts against append_kv's.
import { decodeRows } from '../../../src/index.ts';
import { expect64, worstError } from '../../../src/reference/verify.ts';
import type { Layer, LayerCase, Outcome } from './layer.ts';

/** Runs those ways of a layer that append. Throws for one that is wrong; returns the largest error, as a share of its bound. */
export async function checkLayer(layer: Layer, of: LayerCase): Promise<number> {
  const run = (name: string) => layer.run(layer.ways.get(name)!);
  const apart = await run('append, step');
  const plain = [apart, await run('fused'), await run('lean append, step')];
  for (const each of plain) checkStored(each, apart);
  if (of.odd) return 0; // bytes and counts: its output may be no number
  const worst = worstOf(plain, layer.whole);
  if (of.fresh > 1) return worst;
  const turnedApart = await run('turning append, step');
  const turned = [turnedApart, await run('turning fused'), await run('turning lean append, step')];
  for (const each of turned) checkStored(each, turnedApart);
  // What is stored, and the queries that append_kv turned, are the problem.
  const { numKvHeads: heads, headDim } = of;
  const k = decodeRows({ type: 'f16', headDim, heads, capacity: layer.whole.capacity }, turnedApart.k);
  return Math.max(worst, worstOf(turned, { ...layer.whole, q: turnedApart.q, k }));
}

function checkStored(got: Outcome, want: Outcome): void {
  for (const name of ['k', 'v'] as const) {
    const at = got[name].findIndex((byte, i) => byte !== want[name][i]);
    if (at >= 0) throw new Error(`${name}: byte ${at}: expected ${want[name][at]}, got ${got[name][at]}`);
  }
  const [expected, counted] = [want, got].map(({ lost }) => JSON.stringify(lost));
  if (counted !== expected) throw new Error(`lost elements: expected ${expected}, got ${counted}`);
}

function worstOf(outcomes: readonly Outcome[], problem: Parameters<typeof expect64>[0]): number {
  const { truth, bound } = expect64(problem);
  const shares = outcomes.map(({ o }) => worstError(o, truth.o).error / bound);
  const worst = Math.max(...shares);
  if (!(worst <= 1))
    throw new Error(`outputs: expected errors within their bound, got ${shares.join(', ')} of it`);
  return worst;
}

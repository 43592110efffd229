// crossing.ts: from which depth on attention takes longer than the weights, by the depths that were measured.
import type { StepPart } from '../../src/models/decoder/stepParts.ts';
import type { WholeRow } from '../schema/wholeSchema.ts';

/** What reads weights. */
const WEIGHTS: readonly StepPart[] = ['projections', 'mlp', 'head'];

interface Point {
  readonly depth: number;
  /** Time of attention less that of the weights. */
  readonly over: number;
}

/** A sentence for each variant and batch that was measured at two depths or more. */
export function crossings(rows: readonly WholeRow[]): string[] {
  const groups = new Map<string, WholeRow[]>();
  for (const row of rows) {
    if (!row.parts) continue;
    const key = row.id.replace(`_d${row.params.depth}`, '');
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()].flatMap((group) => {
    const points = group.flatMap(pointOf).toSorted((a, b) => a.depth - b.depth);
    const text = points.length < 2 ? undefined : crossingText(points);
    return text === undefined ? [] : [`${nameOf(group[0]!)}: ${text}`];
  });
}

function nameOf({ variant, params: { kvHeads, method, batch } }: WholeRow): string {
  const merged = method === undefined ? '' : ` (${method})`;
  return `${variant}, ${kvHeads} KV heads${merged}, batch ${batch}`;
}

function pointOf({ params: { depth }, parts }: WholeRow): Point[] {
  const times = [...WEIGHTS, 'attention' as const].map((part) => parts![part].time?.median);
  if (times.some((time) => time === undefined)) return [];
  const attention = times.pop()!;
  return [{ depth, over: attention - times.reduce<number>((sum, time) => sum + time!, 0) }];
}

/** By a line through the two depths that it lies between, or through the last two. */
function crossingText(points: readonly Point[]): string | undefined {
  if (points[0]!.over >= 0) return `attention takes longer than the weights at every depth measured`;
  const at = points.findIndex(({ over }) => over >= 0);
  const [a, b] = at > 0 ? [points[at - 1]!, points[at]!] : [points.at(-2)!, points.at(-1)!];
  const slope = (b.over - a.over) / (b.depth - a.depth);
  if (!(slope > 0)) return undefined;
  const depth = Math.round(a.depth - a.over / slope);
  // A line says little of what lies far beyond it.
  if (at < 0 && depth > 16 * b.depth)
    return `the weights take longer than attention up to ${16 * b.depth} tokens at least, by the depths measured`;
  return `attention takes longer than the weights from about ${depth} tokens on${at < 0 ? ', if it grows as between the depths measured' : ''}`;
}

// attendLost.ts: what the cache of `gqa attend` cannot hold of k and v, as lines for people.
import { formatMagnitude } from '../../bench/text/format.ts';
import { KV_RANGES, type KvType, type LostElements } from '../../src/numbers/elements.ts';
import { encodeRows, nothingLost } from '../../src/numbers/storedRows.ts';
import type { AttendInput } from './attendInput.ts';

/** A warning for k and for v where values saturate or vanish in a cache of `type`. Only valid tokens count. */
export function lostLines(input: AttendInput, type: KvType): string[] {
  return (['k', 'v'] as const).flatMap((name) => linesOf(name, type, lostOf(input, name, type)));
}

function lostOf(
  { numKvHeads, capacity, validLens, ...input }: AttendInput,
  name: 'k' | 'v',
  type: KvType,
): LostElements {
  const headDim = name === 'k' ? input.headDim : input.vHeadDim;
  const lost = nothingLost();
  for (let head = 0; head < validLens.length * numKvHeads; head++) {
    const kvLen = validLens[Math.floor(head / numKvHeads)]!;
    if (kvLen === 0) continue;
    const from = head * capacity * headDim;
    const layout = { type, headDim, heads: 1, capacity: kvLen };
    encodeRows(layout, input[name].subarray(from, from + kvLen * headDim), lost);
  }
  return lost;
}

function linesOf(name: string, type: KvType, { saturated, vanished }: LostElements): string[] {
  const { largest, least } = KV_RANGES[type];
  const many = (count: number, one: string, several: string) =>
    count === 1 ? `1 value ${one}` : `${count} values ${several}`;
  const past = `past ${formatMagnitude(largest)}, the largest ${type},`;
  const below = `below ${formatMagnitude(least)}, the least ${type},`;
  return [
    ...(saturated > 0
      ? [`${name}: ${many(saturated, `${past} was cut to it`, `${past} were cut to it`)}`]
      : []),
    ...(vanished > 0 ? [`${name}: ${many(vanished, `${below} counts as 0`, `${below} count as 0`)}`] : []),
  ];
}

// ratio.ts: two rows' times as a ratio with its uncertainty, and bytes as a share, in words. No DOM.
import { formatSignificant } from '../../bench/text/format.ts';
import type { BenchRow } from '../../bench/schema/schema.ts';

/** How a row's time stands to another's. */
export interface Ratio {
  readonly verdict: 'faster' | 'slower' | 'alike';
  /** The other's median over the row's own. */
  readonly faster: number;
  /** As the verdict says it, at least 1 unless alike: 2.6 for 2.6 times as fast, and for as slow. */
  readonly value: number;
  /** Half of the interval of `value`, the larger half; null where a median has no interval. */
  readonly off: number | null;
}

/** Below this difference nothing is said of two times that have no interval. */
const UNTOLD = 0.05;

/**
 * How much faster a row is than a base, both with a time. The interval is what the 95 % intervals of the two medians allow,
 * which is wider than one of the ratio would be; alike where it holds 1.
 */
export function ratioOf(base: BenchRow, row: BenchRow): Ratio {
  const [a, b] = [intervalOf(base), intervalOf(row)];
  const faster = base.time!.median / row.time!.median;
  if (!a || !b) {
    const verdict = Math.abs(faster - 1) < UNTOLD ? 'alike' : faster > 1 ? 'faster' : 'slower';
    return { verdict, faster, value: verdict === 'slower' ? 1 / faster : faster, off: null };
  }
  const [low, high] = [a[0] / b[1], a[1] / b[0]];
  const isSlower = faster < 1;
  const [value, from, to] = isSlower ? [1 / faster, 1 / high, 1 / low] : [faster, low, high];
  const off = Math.max(to - value, value - from);
  // By what is shown: an end beyond 1 on the longer side is as much doubt as one on the shorter.
  if (value - off <= 1)
    return { verdict: 'alike', faster, value: faster, off: Math.max(high - faster, faster - low) };
  return { verdict: isSlower ? 'slower' : 'faster', faster, value, off };
}

/** The interval of a row's median, widened to what its clock may be off. */
function intervalOf({ time, clockNs = 0 }: BenchRow): readonly [number, number] | null {
  const { median, ci95 } = time!;
  if (!ci95) return null;
  const low = Math.min(ci95[0], median - clockNs);
  return [Math.max(low, Number.MIN_VALUE), Math.max(ci95[1], median + clockNs)];
}

/** "2.6× (± 0.1)", "about 2.6×" where nothing is known of the uncertainty. */
export function ratioText({ value, off }: Ratio): string {
  if (off === null) return `about ${formatSignificant(value, 2)}×`;
  const decimals = Math.min(2, Math.max(0, -Math.floor(Math.log10(Math.max(off, 0.005)))));
  const scale = 10 ** decimals;
  // Rounded up: an uncertainty is not to look smaller than it is.
  const shown = Math.max(1, Math.ceil(off * scale - 1e-9)) / scale;
  return `${value.toFixed(decimals)}× (± ${shown.toFixed(decimals)})`;
}

const NAMES: Readonly<Record<number, string>> = {
  2: 'half',
  3: 'a third of',
  4: 'a quarter of',
  5: 'a fifth of',
  6: 'a sixth of',
  7: 'a seventh of',
  8: 'an eighth of',
  9: 'a ninth of',
  10: 'a tenth of',
};

/** How much of the cache of `all` bytes one of `some` bytes is: "a quarter of the cache", "1/32 of the cache". */
export function shareWords(all: number, some: number): string {
  const part = all / some;
  const known = NAMES[part];
  if (known !== undefined) return `${known} the cache`;
  if (part === 1) return 'as much cache';
  return Number.isInteger(part)
    ? `1/${part} of the cache`
    : `${formatSignificant((100 * some) / all, 2)} % of the cache`;
}

// turnBack.ts: twin of shaders/train/turn_back.wgsl: the gradient of a row before RoPE turned it.
import type { RopeFrequencies, RopeStyle } from '../../src/numbers/rope.ts';

/** Turns each pair of a row's first elements back by `position` times its frequency, and makes it `attentionFactor` times as long. */
export function turnBack(
  row: readonly number[],
  style: RopeStyle,
  { frequencies, attentionFactor }: RopeFrequencies,
  position: number,
): number[] {
  const result = [...row];
  const pairs = frequencies.length;
  for (const [pair, frequency] of frequencies.entries()) {
    const [first, second] = style === 'half' ? [pair, pair + pairs] : [2 * pair, 2 * pair + 1];
    const [c, s] = [Math.cos(position * frequency), Math.sin(position * frequency)];
    result[first] = attentionFactor * (c * row[first]! + s * row[second]!);
    result[second] = attentionFactor * (c * row[second]! - s * row[first]!);
  }
  return result;
}

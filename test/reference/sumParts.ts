// sumParts.ts: twin of shaders/train/sum_parts.wgsl: the sum of several arrays, element by element.

/** [count] of [parts, count]. */
export function sumParts(parts: readonly (readonly number[])[]): number[] {
  return parts[0]!.map((_, i) => parts.reduce((sum, part) => sum + part[i]!, 0));
}

// kvRanges.ts: the ranges of a cache's element types, as the commands' help tells them.
import { KV_RANGES, KV_TYPES } from '../../src/index.ts';
import { formatMagnitude } from '../text/format.ts';

const ranges = KV_TYPES.map((type) => {
  const { largest, precise } = KV_RANGES[type];
  return `${type} ${formatMagnitude(precise)} to ${formatMagnitude(largest)}`;
});

/** Two lines for a help text. */
export const RANGES_HELP = `Element types, with the magnitudes that they hold in full precision (int8 and int4: the largest of a block):
  ${ranges.join(', ')}`;

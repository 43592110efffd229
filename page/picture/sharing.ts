// sharing.ts: which query heads read which KV head, in numbers and in sentences. No DOM. Heads are counted from 0, and from 1 in sentences.
import { plural } from '../../bench/text/format.ts';

/** How many query heads there are, and how many KV heads they share. */
export interface Sharing {
  readonly heads: number;
  readonly kvHeads: number;
}

/** Every number of KV heads that so many query heads can share evenly: from multi-head down to one. */
export function kvHeadChoices(heads: number): number[] {
  return Array.from({ length: heads }, (_, i) => heads - i).filter((kvHeads) => heads % kvHeads === 0);
}

/** The KV head that a query head reads. */
export function kvHeadOf({ heads, kvHeads }: Sharing, queryHead: number): number {
  return Math.floor((queryHead * kvHeads) / heads);
}

/** The query heads that read a KV head. */
export function readersOf({ heads, kvHeads }: Sharing, kvHead: number): { first: number; last: number } {
  const group = heads / kvHeads;
  return { first: kvHead * group, last: (kvHead + 1) * group - 1 };
}

/** What is loaded for a token, and how often it is used. */
export function sharingText(sharing: Sharing): string {
  const { heads, kvHeads } = sharing;
  if (kvHeads === heads)
    return `Every query head has a KV head of its own: all ${heads} are loaded for each new token.`;
  const share = `1/${heads / kvHeads} of what multi-head attention reads`;
  if (kvHeads === 1)
    return `All ${heads} query heads share one KV head: it is loaded once for each new token, ${share}.`;
  return `${heads / kvHeads} query heads share each KV head: ${kvHeads} are loaded for each new token, ${share}.`;
}

/** Who uses a KV head that is loaded once. */
export function kvHeadText(sharing: Sharing, kvHead: number): string {
  const { first, last } = readersOf(sharing, kvHead);
  const name = `KV head ${kvHead + 1}`;
  if (first === last) return `${name} is loaded for query head ${first + 1} alone.`;
  if (sharing.kvHeads === 1)
    return `The one KV head is loaded once and used by all ${plural(sharing.heads, 'query head')}.`;
  return `${name} is loaded once and used by query heads ${first + 1} to ${last + 1}.`;
}

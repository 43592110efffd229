// requests.ts: batches of unequal requests in vLLM's grammar: `8q1s4k` is 8 requests of 1 query each over 4096 tokens.
import { ShapeError } from '../../src/index.ts';
import type { RowParams } from '../schema/schema.ts';
import { TOKENS, tokensOf } from '../../src/numbers/tokens.ts';

const GROUP = new RegExp(String.raw`^(\d+)q(\d+)s${TOKENS}$`);

const MOST_REQUESTS = 4096;

/**
 * Tokens of each request, from groups joined by underscores: `2q1s4k_30q1s512`. (vLLM:
 * benchmarks/attention_benchmarks/README.md.) Throws ShapeError for anything else, and for more than one query a request.
 */
export function parseRequests(text: string): number[] {
  const lens = text.split('_').flatMap((part) => {
    const match = GROUP.exec(part);
    if (!match) {
      throw new ShapeError(`requests: expected groups such as 8q1s4k, joined by _, got "${part}"`);
    }
    const [count, queries] = match.slice(1, 3).map(Number) as [number, number];
    const tokens = tokensOf(match[3]!, match[4]!);
    if (queries !== 1)
      throw new ShapeError(`requests: expected 1 query per request, got ${queries} in "${part}"`);
    if (count < 1 || count > MOST_REQUESTS) {
      throw new ShapeError(`requests: expected 1 to ${MOST_REQUESTS} requests, got ${count} in "${part}"`);
    }
    return Array.from({ length: count }, () => tokens);
  });
  if (lens.length > MOST_REQUESTS) {
    throw new ShapeError(`requests: expected at most ${MOST_REQUESTS} in all, got ${lens.length}`);
  }
  return lens;
}

/** Tokens of each sequence of a row: its requests', or its depth for all. */
export function kvLensOf({
  batch,
  depth,
  requests,
}: Pick<RowParams, 'batch' | 'depth' | 'requests'>): number[] {
  return requests === undefined ? Array.from({ length: batch }, () => depth) : parseRequests(requests);
}

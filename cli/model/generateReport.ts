// generateReport.ts: what `gqa generate` measured, as a table and as JSON. Pure.
import { formatBytes, formatSignificant, markdownTable, type Column } from '../../bench/text/format.ts';
import type { ModelSpec } from '../../src/models/decoder/spec.ts';
import type { NodeGpu } from '../../src/node/adapters.ts';
import type { RunningVariant } from './variants.ts';

/** A variant's text and times. */
export interface GeneratedVariant extends Omit<RunningVariant, 'context' | 'source' | 'spec'> {
  readonly prompt: readonly number[];
  readonly tokens: readonly number[];
  readonly text?: string;
  /** Mean negative log-likelihood of the prompt's tokens but the first. */
  readonly promptNll?: number;
  /** Milliseconds from the prompt to the first token, and from there to the last. */
  readonly promptMs: number;
  readonly decodeMs: number;
  /** Whether a token that ends a text came. */
  readonly isEnded: boolean;
}

/** Tokens behind the first, per second; undefined for a single token. */
function tokensPerSecond({ tokens, decodeMs }: GeneratedVariant): number | undefined {
  return tokens.length > 1 ? (1000 * (tokens.length - 1)) / decodeMs : undefined;
}

const COLUMNS: readonly Column[] = [
  { title: 'KV heads', align: 'right' },
  { title: 'method', align: 'left' },
  { title: 'tokens/s', align: 'right' },
  { title: 'ms/token', align: 'right' },
  { title: 'prompt tokens/s', align: 'right' },
  { title: 'KV bytes/token', align: 'right' },
  { title: 'nats/token of the prompt', align: 'right' },
];

/** A row for each variant, and the adapter. */
export function variantTable(variants: readonly GeneratedVariant[], adapter: string): string {
  const rows = variants.map((each) => {
    const rate = tokensPerSecond(each);
    return [
      String(each.kvHeads),
      each.method ?? 'as it is',
      rate === undefined ? '-' : formatSignificant(rate),
      rate === undefined ? '-' : formatSignificant(1000 / rate),
      formatSignificant((1000 * each.prompt.length) / each.promptMs),
      formatBytes(each.memory.kvPerToken),
      each.promptNll === undefined ? '-' : each.promptNll.toFixed(4),
    ];
  });
  return `${markdownTable(COLUMNS, rows)}\non "${adapter}"`;
}

/** All of it. */
export function generateJson(
  folder: string,
  spec: ModelSpec,
  { adapterName, origin }: NodeGpu,
  variants: readonly GeneratedVariant[],
) {
  const { type, vocabSize, hiddenSize, layers } = spec;
  return {
    model: { folder, type, vocabSize, hiddenSize, layers: layers.length },
    adapter: { name: adapterName, origin },
    variants: variants.map((each) => {
      const {
        kvHeads,
        method,
        memory,
        loadMs,
        prompt,
        tokens,
        text,
        promptNll,
        promptMs,
        decodeMs,
        isEnded,
      } = each;
      return {
        kvHeads,
        method: method ?? null,
        memory,
        promptTokens: prompt,
        tokens,
        ...(text !== undefined && { text }),
        ended: isEnded ? 'stop' : 'length',
        promptNatsPerToken: promptNll ?? null,
        times: { loadMs, promptMs, decodeMs, tokensPerSecond: tokensPerSecond(each) ?? null },
      };
    }),
  };
}

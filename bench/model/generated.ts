// generated.ts: texts that variants of a model came to, as a table and as JSON. Pure.
import { formatBytes, formatSignificant, markdownTable, type Column } from '../text/format.ts';
import { tokensPerSecond, type Generation } from './generation.ts';
import type { RunningVariant } from './variants.ts';

/** A variant's text and times. */
export interface GeneratedVariant extends Omit<RunningVariant, 'context' | 'source' | 'spec'>, Generation {
  readonly prompt: readonly number[];
  readonly text?: string;
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

/** A variant as plain data. */
export function generatedJson(generated: GeneratedVariant) {
  const { kvHeads, method, memory, loadMs, prompt, tokens, text, promptNll, promptMs, decodeMs, isEnded } =
    generated;
  return {
    kvHeads,
    method: method ?? null,
    memory,
    promptTokens: prompt,
    tokens,
    ...(text !== undefined && { text }),
    ended: isEnded ? 'stop' : 'length',
    promptNatsPerToken: promptNll ?? null,
    times: { loadMs, promptMs, decodeMs, tokensPerSecond: tokensPerSecond(generated) ?? null },
  };
}

// generated.ts: texts that variants of a model came to, as a table and as JSON. Pure.
import { formatBytes, formatSignificant, markdownTable, type Column } from '../text/format.ts';
import type { Perplexity } from '../../src/models/decoder/perplexity.ts';
import { tokensPerSecond, type Generation } from './generation.ts';
import type { RunningVariant } from './variants.ts';

/** A variant's text and times. */
export interface GeneratedVariant extends Omit<RunningVariant, 'context' | 'source' | 'spec'>, Generation {
  readonly prompt: readonly number[];
  readonly text?: string;
  readonly measured?: MeasuredText;
}

/** How well a variant tells a text: mean nats a token, of the tokens that were counted. */
export type MeasuredText = Pick<Perplexity, 'nll' | 'tokens' | 'window'>;

const COLUMNS: readonly Column[] = [
  { title: 'KV heads', align: 'right' },
  { title: 'method', align: 'left' },
  { title: 'tokens/s', align: 'right' },
  { title: 'ms/token', align: 'right' },
  { title: 'prompt tokens/s', align: 'right' },
  { title: 'KV bytes/token', align: 'right' },
  { title: 'nats/token of the prompt', align: 'right' },
];

const MEASURED: Column = { title: 'nats/token of the text', align: 'right' };

/** A row for each variant, and the adapter. */
export function variantTable(variants: readonly GeneratedVariant[], adapter: string): string {
  const isMeasured = variants.some(({ measured }) => measured);
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
      ...(isMeasured ? [each.measured?.nll.toFixed(4) ?? '-'] : []),
    ];
  });
  const columns = isMeasured ? [...COLUMNS, MEASURED] : COLUMNS;
  return `${markdownTable(columns, rows)}\non "${adapter}"`;
}

/** A variant as plain data. */
export function generatedJson(generated: GeneratedVariant) {
  const { kvHeads, method, memory, loadMs, prompt, tokens, text, isEnded } = generated;
  const { promptNll, measured, promptMs, decodeMs } = generated;
  return {
    kvHeads,
    method: method ?? null,
    memory,
    promptTokens: prompt,
    tokens,
    ...(text !== undefined && { text }),
    ended: isEnded ? 'stop' : 'length',
    promptNatsPerToken: promptNll ?? null,
    ...(measured && { textNatsPerToken: measured.nll, textTokens: measured.tokens }),
    times: { loadMs, promptMs, decodeMs, tokensPerSecond: tokensPerSecond(generated) ?? null },
  };
}

// words.ts: what the page says of a model and of its texts. No DOM.
import type { Variant } from '../../bench/model/variants.ts';
import { formatBytes, formatSignificant, plural } from '../../bench/text/format.ts';
import { adapterText } from '../shell/adapterFacts.ts';
import type { Figures, ModelFacts, VariantPlan } from './protocol.ts';

type Fact = readonly [name: string, value: string];

/** What a model is, and what it is on. */
export function modelFacts(facts: ModelFacts): Fact[] {
  const { type, layers, numQHeads, numKvHeads, headDim, hiddenSize, vocabSize, adapter } = facts;
  return [
    ['Type', type],
    ['Layers', `${layers}, hidden size ${hiddenSize}`],
    ['Heads', `${numQHeads} query, ${numKvHeads} KV, of ${headDim}`],
    ['Vocabulary', vocabSize.toLocaleString('en')],
    ['Weights', `${short(facts.weightBytes)} of ${facts.dtypes.join(', ')}`],
    ['Text', tokenizerText(facts.tokenizer)],
    ['Adapter', adapterText(adapter)],
    ['Largest buffer', formatBytes(adapter.maxBindingBytes)],
  ];
}

/** That texts are done, and what their times are of. */
export function doneText({ adapter }: ModelFacts): string {
  return `Done, on ${adapterText(adapter)}.`;
}

function tokenizerText(tokenizer: ModelFacts['tokenizer']): string {
  if (tokenizer === 'usable') return 'by its tokenizer.json';
  if (tokenizer === 'none') return 'no tokenizer.json: ids of tokens';
  return `ids of tokens; ${tokenizer.fault}`;
}

/** "8 KV heads", "1 KV head". */
export function headsText({ kvHeads }: Variant): string {
  return plural(kvHeads, 'KV head');
}

/** How a variant comes from the checkpoint. */
export function originText({ method }: Variant): string {
  return method === undefined ? 'as it is' : `merged (${method})`;
}

/** A variant's memory in words, or why it cannot be had. */
export function memoryText({ memory, fault }: VariantPlan): string {
  if (!memory) return fault ?? '';
  const { weights, kv, activations, total } = memory;
  return `${short(total)}: weights ${short(weights)}, cache ${short(kv)}, activations ${short(activations)}`;
}

/** Bytes to three digits: plans are not read to the last one. */
function short(bytes: number): string {
  const [value, unit] = formatBytes(bytes).split(' ') as [string, string];
  return `${formatSignificant(Number(value), 3).replace(/\.0+$/, '')} ${unit}`;
}

/** What a text took. */
export function figureFacts(figures: Figures): Fact[] {
  const { tokensPerSecond: rate, promptMs, promptTokens, promptNll, kvPerToken } = figures;
  return [
    ['tokens/s', rate === undefined ? 'one token has no rate' : formatSignificant(rate)],
    ...textFact(figures),
    ['ms/token', rate === undefined ? '–' : formatSignificant(1000 / rate)],
    ['Prompt', `${formatSignificant(promptMs)} ms for ${plural(promptTokens, 'token')}`],
    ['KV per token', formatBytes(kvPerToken)],
    ['Prompt, nats/token', promptNll === undefined ? '–' : promptNll.toFixed(4)],
  ];
}

/** How well the measured text is told, or why that is not known. */
function textFact({ measured, measuredFault }: Figures): Fact[] {
  if (measured) return [['nats/token', measured.nll.toFixed(4)]];
  return measuredFault === undefined ? [] : [['nats/token', `not measured: ${measuredFault}`]];
}

/** How a text ended. */
export function endText({ tokens, isEnded, wasHidden }: Figures): string {
  const end = isEnded ? 'ended by a stop token' : 'ended at the number asked for';
  const hidden = wasHidden ? '; the tab was hidden meanwhile, so times may be too long' : '';
  return `${plural(tokens, 'token')}, ${end}${hidden}.`;
}

/** How the texts are made and timed. */
export const METHOD = [
  'The variants run one after the other, each alone on the device: the same prompt, the same way to choose tokens.',
  'Fewer KV heads are merged from the checkpoint in memory, as gqa convert merges them by the method chosen; without training after that the text gets worse, and the prompt’s nats per token (lower is better) say by how much.',
  'nats/token is the mean loss on the text that is measured, in contexts of 128 tokens; of this project’s own model it is one of stories that it has not seen.',
  'Times are wall clock, after a warm-up. tokens/s and ms/token are of the tokens behind the first; the time up to the first is the prompt’s.',
  'Each is of a single run: repeat it before a small difference is believed.',
  'Up to eight tokens are read from the device together, so text comes in small portions.',
].join(' ');

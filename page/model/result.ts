// result.ts: texts that variants of a model came to, to take away: as Markdown and as JSON. No DOM.
import { generatedJson, variantTable } from '../../bench/model/generated.ts';
import type { GenerateRequest, ModelFacts, PageVariant } from './protocol.ts';
import { adapterText } from '../shell/adapterFacts.ts';

/** What was run and what came of it. */
export interface ModelResult {
  readonly date: string;
  readonly version: string;
  readonly runtime: { readonly kind: string; readonly version: string };
  readonly facts: ModelFacts;
  readonly request: GenerateRequest;
  readonly variants: readonly PageVariant[];
}

/** The table of `gqa generate`. */
export function resultMarkdown({ facts, request, variants }: ModelResult): string {
  const { name } = request.folder;
  const table = variantTable(variants, adapterText(facts.adapter));
  return `${name}, cache ${request.cacheType}\n\n${table}`;
}

/** The fields of `gqa generate -o json`, and those of the page. */
export function resultJson({ date, version, runtime, facts, request, variants }: ModelResult) {
  const { type, vocabSize, hiddenSize, layers, adapter } = facts;
  return {
    date,
    tool: { name: 'gqa-webgpu', version },
    runtime,
    model: { folder: request.folder.name, type, vocabSize, hiddenSize, layers },
    adapter: { name: adapter.name, software: adapter.software },
    options: { ...request.options, cacheType: request.cacheType },
    variants: variants.map((variant) => ({ ...generatedJson(variant), wasHidden: variant.wasHidden })),
  };
}

// generateReport.ts: what `gqa generate` measured, as JSON. Pure.
import { generatedJson, type GeneratedVariant } from '../../bench/model/generated.ts';
import type { ModelSpec } from '../../src/models/decoder/spec.ts';
import type { NodeGpu } from '../../src/node/adapters.ts';

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
    variants: variants.map(generatedJson),
  };
}

// checkedModel.ts: a model, or one with a fault in it, on a device against its twin, and what is beyond its bound.
import { vi } from 'vitest';
import { checkModel, KV_CHECKS, type ModelCheck } from '../../bench/check/checkModel.ts';
import { sizesFor } from '../../bench/model/variants.ts';
import type { GqaDevice, KvType } from '../../src/index.ts';
import { loadModel, type ModelSpec } from '../../src/models.ts';
import type { ContextOptions } from '../../src/models/decoder/contextArgs.ts';
import { ModelSource } from '../../src/models/decoder/modelSource.ts';

/** How a model is checked. */
export interface Tried {
  readonly weightType?: KvType;
  readonly types?: Pick<ContextOptions, 'kType' | 'vType'>;
  /** What the device is given instead of the model; default: the same. */
  readonly faulty?: (spec: ModelSpec) => ModelSpec;
  /** Tokens that are said to be chosen; default: those that are. */
  readonly chosen?: readonly number[];
}

const PROMPT_TOKENS = 12;
const GREEDY_TOKENS = 5;

/** Twelve tokens, and five behind them. Closes the source. */
export async function checked(
  device: GqaDevice,
  source: ModelSource,
  { weightType, types, faulty, chosen }: Tried = {},
): Promise<ModelCheck> {
  const weights = weightType === undefined ? {} : { weightType };
  const loaded = faulty ? new ModelSource('faulty', faulty(source.spec), source) : source;
  const model = await loadModel(device, loaded, weights);
  try {
    const sizes = sizesFor(source.spec, PROMPT_TOKENS, GREEDY_TOKENS);
    const context = await model.createContext({ ...sizes, chunk: 7, kType: 'f32', ...types });
    if (chosen) {
      vi.spyOn(context, 'generate').mockImplementation(async function* () {
        for (const token of chosen) yield [token];
      });
    }
    const prompt = Array.from({ length: PROMPT_TOKENS }, (_, i) => (7 * i + 3) % source.spec.vocabSize);
    return await checkModel({ source, context, prompt, maxTokens: GREEDY_TOKENS, ...weights });
  } finally {
    model.destroy();
    await source.close();
  }
}

/** What is beyond its bound, in order; of an encoder's layers it says so. */
export function wrong({ layers, logits, divergence }: ModelCheck): string[] {
  const failed = layers.flatMap((each) => {
    const place = `${each.stack === 'encoder' ? 'encoder ' : ''}${each.layer}`;
    const ofKv = KV_CHECKS.filter((name) => each[name]?.pass === false);
    return [...ofKv.map((name) => `${name} ${place}`), ...(each.pass ? [] : [place])];
  });
  return [...failed, ...(logits.pass ? [] : ['logits']), ...(divergence && !divergence.tie ? ['token'] : [])];
}

// describe.ts: what a model is and what it would take on a device, before any weight is read.
import { specByteLength } from '../../src/checkpoint/format/safetensors.ts';
import { GqaError, messageOf } from '../../src/device/errors.ts';
import { KV_TYPES, type GqaDevice, type KvType } from '../../src/index.ts';
import { planMemory } from '../../src/models/decoder/memoryPlan.ts';
import { openFiles } from '../../bench/model/openFiles.ts';
import { makeTokenizer, type TextTokens } from '../../bench/model/text.ts';
import { headsOf, type OpenVariant, type Variant } from '../../bench/model/variants.ts';
import type { ModelFolder } from './files.ts';
import { adapterFacts } from '../shell/adapterFacts.ts';
import { faultText } from '../shell/faultText.ts';
import type { ModelFacts, VariantFacts, VariantPlan } from './protocol.ts';

const TOKENIZER = 'tokenizer.json';

/** The folder's tokenizer; undefined where it has none. Throws GqaError where it cannot be used. */
export async function tokenizerOf({ name, files }: ModelFolder): Promise<TextTokens | undefined> {
  const json = files[TOKENIZER];
  if (!json) return undefined;
  const config = files['tokenizer_config.json'];
  const path = `${name}/${TOKENIZER}`;
  return makeTokenizer(await jsonOf(json, path), config ? await jsonOf(config, config.name) : {}, path);
}

async function jsonOf(file: File, path: string): Promise<object> {
  try {
    return JSON.parse(await file.text()) as object;
  } catch (cause) {
    throw new GqaError('input', `${path}: cannot be read: ${messageOf(cause)}`, { cause });
  }
}

/** Tokens that memory is planned for, where the model has learned no fewer positions. */
const PLANNED_TOKENS = 1024;

/** Describes a model. Throws as `openModelFiles`. */
export async function describeFolder(device: GqaDevice, folder: ModelFolder): Promise<ModelFacts> {
  const { tensors, open } = await openFiles(folder.files, folder.name);
  const { spec } = await open(undefined);
  const { numQHeads, numKvHeads, headDim } = spec.layers[0]!.attention;
  const plannedTokens = Math.min(PLANNED_TOKENS, spec.embedding.positions?.count ?? PLANNED_TOKENS);
  const variants: VariantFacts[] = [];
  for (const variant of variantsOf(numKvHeads)) {
    variants.push({ variant, plans: await plansOf(device, open, variant, plannedTokens) });
  }
  return {
    type: spec.type,
    layers: spec.layers.length,
    numQHeads,
    numKvHeads,
    headDim,
    hiddenSize: spec.hiddenSize,
    vocabSize: spec.vocabSize,
    weightBytes: [...tensors.values()].reduce((sum, tensor) => sum + (specByteLength(tensor) ?? 0), 0),
    dtypes: [...new Set([...tensors.values()].map(({ dtype }) => dtype))].toSorted(),
    tokenizer: await tokenizerFacts(folder),
    variants,
    plannedTokens,
    adapter: adapterFacts(device),
  };
}

/** The model's own number of KV heads and its divisors, from the greatest down. */
export function variantsOf(own: number): Variant[] {
  const fewer = Array.from({ length: own - 1 }, (_, i) => own - 1 - i).filter((count) => own % count === 0);
  return [{ kvHeads: own }, ...fewer.map((kvHeads): Variant => ({ kvHeads, method: 'mean' }))];
}

/** With each type of cache. How heads are merged changes no size. */
async function plansOf(
  { facts }: GqaDevice,
  open: OpenVariant,
  variant: Variant,
  capacity: number,
): Promise<VariantFacts['plans']> {
  const planned = async (kType: KvType): Promise<VariantPlan> => {
    try {
      return { memory: planMemory(await open(headsOf(variant)), { capacity, kType }, facts) };
    } catch (error) {
      if (!(error instanceof GqaError)) throw error;
      return { fault: faultText(error) };
    }
  };
  const plans = KV_TYPES.map(async (kType) => [kType, await planned(kType)] as const);
  return Object.fromEntries(await Promise.all(plans)) as Record<KvType, VariantPlan>;
}

async function tokenizerFacts(folder: ModelFolder): Promise<ModelFacts['tokenizer']> {
  try {
    return (await tokenizerOf(folder)) ? 'usable' : 'none';
  } catch (error) {
    if (!(error instanceof GqaError)) throw error;
    return { fault: error.message };
  }
}

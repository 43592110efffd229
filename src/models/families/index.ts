// index.ts: all model families, and what is known of a model type. `gqa kv` and `gqa convert` both read them from here.
//
// What files may leave out is from src/transformers/models/*/configuration_*.py of huggingface/transformers 5.18, and for
// types that it does not have from the configuration_*.py beside the weights.
import type { Fields } from '../configFields.ts';
import { AFMOE } from './afmoe.ts';
import { BAICHUAN } from './baichuan.ts';
import { BAMBA } from './bamba.ts';
import { BLOOM } from './bloom.ts';
import { COHERE } from './cohere.ts';
import { DEEPSEEK } from './deepseek.ts';
import { ENCODERS } from './encoders.ts';
import { ERNIE } from './ernie.ts';
import { EXAONE } from './exaone.ts';
import { FALCON } from './falcon.ts';
import { GEMMA } from './gemma.ts';
import { GLM } from './glm.ts';
import { GPT2 } from './gpt2.ts';
import { GPTJ } from './gptj.ts';
import { GPT_NEO } from './gptNeo.ts';
import { GPT_NEOX } from './gptNeox.ts';
import { GPT_OSS } from './gptOss.ts';
import { GRANITE } from './granite.ts';
import { HUNYUAN } from './hunyuan.ts';
import { INTERNLM } from './internlm.ts';
import { JAMBA } from './jamba.ts';
import { LFM2 } from './lfm2.ts';
import { LLAMA } from './llama.ts';
import { MINICPM } from './minicpm.ts';
import { MINIMAX } from './minimax.ts';
import { MISTRAL } from './mistral.ts';
import { MOSHI } from './moshi.ts';
import { NANOCHAT } from './nanochat.ts';
import { NANOGPT } from './nanogpt.ts';
import { NEMOTRON } from './nemotron.ts';
import { OLMO } from './olmo.ts';
import { PHI } from './phi.ts';
import { PLAIN } from './plain.ts';
import { QWEN } from './qwen.ts';
import { RECURRENT_GEMMA } from './recurrentGemma.ts';
import { SMOLLM3 } from './smollm3.ts';
import { STARCODER } from './starcoder.ts';
import { STEP3 } from './step3.ts';
import { T5 } from './t5.ts';
import { WHISPER } from './whisper.ts';
import { WITHOUT_HEADS } from './withoutHeads.ts';
import { ZAMBA } from './zamba.ts';
import type { DecoderFormat } from './decoderFormat.ts';
import { tableName, type CheckpointFormat, type Family, type TypeRules } from './family.ts';

/** Every family. Where config.json names no known type, formats of the same tensor names are tried in this order. */
export const FAMILIES: readonly Family[] = [
  LLAMA,
  MISTRAL,
  GEMMA,
  NANOCHAT,
  T5,
  PHI,
  INTERNLM,
  BAICHUAN,
  GPT_NEOX,
  GLM,
  FALCON,
  BLOOM,
  GPT2,
  STARCODER,
  QWEN,
  NANOGPT,
  AFMOE,
  BAMBA,
  COHERE,
  DEEPSEEK,
  ERNIE,
  EXAONE,
  GPTJ,
  GPT_NEO,
  GPT_OSS,
  GRANITE,
  HUNYUAN,
  JAMBA,
  LFM2,
  MINICPM,
  MINIMAX,
  MOSHI,
  NEMOTRON,
  OLMO,
  RECURRENT_GEMMA,
  SMOLLM3,
  STEP3,
  WHISPER,
  ZAMBA,
  ...PLAIN,
  ...ENCODERS,
  ...WITHOUT_HEADS,
];

/** The formats of checkpoints that conversion knows. */
export const FORMATS: readonly CheckpointFormat[] = FAMILIES.flatMap(({ formats }) => formats);

/** The models that are known as a whole. */
export const DECODERS: readonly DecoderFormat[] = FAMILIES.flatMap(({ decoders = [] }) => decoders);

/** That of a type, as `typeOf` gives it, and a config. */
export function decoderOf(type: string, fields: Fields): DecoderFormat | undefined {
  return DECODERS.find(({ modelTypes, when }) => modelTypes.includes(type) && when?.(fields) !== false);
}

const RULES: ReadonlyMap<string, TypeRules> = new Map(FAMILIES.flatMap(({ types }) => Object.entries(types)));
const UNWRITTEN = [...RULES].flatMap(([type, { isOf }]) => (isOf ? [{ type, isOf }] : []));

/** The type, as `types` of a family name it, of a config.json with these fields. It need not be one that is known. */
export function typeOf(fields: Fields): string {
  const modelType = fields['model_type'];
  const unwritten = UNWRITTEN.find(({ isOf }) => isOf(fields));
  return unwritten?.type ?? tableName(typeof modelType === 'string' ? modelType : '');
}

/** What is true of files of a type; nothing where it is not known. */
export function rulesOf(type: string): TypeRules {
  return RULES.get(type) ?? {};
}

/** Whether the class of a type is known, and so what a number that is null means: one KV head for each query head. */
export function isKnown(type: string): boolean {
  const { isMha, defaults } = rulesOf(type);
  return isMha === true || defaults !== undefined;
}

/** Why a model of this type has no cache of K and V heads; undefined where it may have one. */
export function whyNoCache(type: string, fields: Fields): string | undefined {
  const { withoutCache } = rulesOf(type);
  if (withoutCache === 'latent')
    return `${type} has multi-head latent attention, which stores one compressed vector per token instead of K and V heads`;
  if (withoutCache === 'no-attention') return `${type} has no attention, and so no KV cache`;
  const decodes = fields['is_decoder'] === true || fields['is_encoder_decoder'] === true;
  if (withoutCache === 'encoder' && !decodes) return `${type} is an encoder and keeps no KV cache`;
  if (fields['use_bidirectional_attention'] === true || fields['use_bidirectional_attention'] === 'all')
    return 'a model with "use_bidirectional_attention" is an encoder and keeps no KV cache';
  return undefined;
}

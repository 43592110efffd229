// describeLayers.ts: the layers of a decoder, what they have of an encoder, and the encoder itself.
import type { CrossSpec, EncoderSpec, LayerSpec } from '../../models/decoder/spec.ts';
import type { EncoderFormat, NormPlace } from '../../models/families/decoderFormat.ts';
import { required } from '../../models/configFields.ts';
import { SHAPE_LIMITS } from '../../models/limits.ts';
import { inLayer } from '../find/detect.ts';
import { moduleOf } from '../find/findAttention.ts';
import { describe, fail } from '../format/checkpointError.ts';
import type { AttentionModule } from '../heads/attentionModule.ts';
import { attentionOf } from './describeAttention.ts';
import { mlpOf } from './describeMlp.ts';
import { normOf, type Source } from './source.ts';

/** A layer of a decoder, or of an encoder. */
export function layerOf(source: Source, module: AttentionModule): LayerSpec {
  const { format, config } = source;
  const { layer } = module;
  const norm = (place: NormPlace) => {
    const name = format.norms[place];
    return normOf(source, name === undefined ? undefined : source.prefix + inLayer(name, layer));
  };
  const { afterAttention, afterMlp } = format.norms;
  return {
    attentionNorm: norm('attention'),
    attention: attentionOf(source, module),
    ...(afterAttention !== undefined && { afterAttention: norm('afterAttention') }),
    mlpNorm: norm('mlp'),
    mlp: mlpOf(source, layer),
    ...(afterMlp !== undefined && { afterMlp: norm('afterMlp') }),
    parallel: format.parallel?.(config) ?? false,
  };
}

/** The cross-attention of a decoder's layer. */
export function crossOf(source: Source, layer: number): { cross?: CrossSpec } {
  const { format, attention, prefix } = source;
  if (!format.encoder) return {};
  const module = attention.modules.find((each) => each.kind === 'cross' && each.layer === layer)!;
  const norm = normOf(source, prefix + inLayer(format.encoder.crossNorm, layer));
  return { cross: { norm, attention: attentionOf(source, module) } };
}

/** The encoder: as many heads as the config has query heads, whatever the decoder's. */
export function encoderOf(source: Source, encoder: EncoderFormat, vocabSize: number): EncoderSpec {
  const { attention, file, format, prefix, tensors, where } = source;
  const { value: count } = required(file, encoder.layers, SHAPE_LIMITS.layers);
  const shape = { ...attention.shape, numKvHeads: attention.numQHeads, layers: count };
  const context = { tensors, shape, prefix, where };
  const modules = Array.from({ length: count }, (_, layer) => moduleOf(encoder.attention, layer, context));
  const own: Source = {
    ...source,
    attention: { ...attention, shape, numKvHeads: attention.numQHeads, modules },
    format: { ...format, norms: encoder.norms, mlp: encoder.mlp },
    isEncoder: true,
  };
  return {
    layers: modules.map((module) => layerOf(own, module)),
    finalNorm: normOf(own, prefix + encoder.finalNorm),
    startToken: startTokenOf(source, encoder, vocabSize),
  };
}

function startTokenOf({ config, where }: Source, { startToken }: EncoderFormat, vocabSize: number): number {
  const name = startToken.find((each) => config[each] !== undefined && config[each] !== null);
  const token = name === undefined ? 0 : config[name];
  if (Number.isSafeInteger(token) && (token as number) >= 0 && (token as number) < vocabSize)
    return token as number;
  return fail(
    `${where}/config.json: ${name}: expected a token of the vocabulary of ${vocabSize}, got ${describe(token)}`,
  );
}

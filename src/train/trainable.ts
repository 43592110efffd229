// trainable.ts: which models there are backward kernels for: the others are refused by what they have.
import { ShapeError } from '../device/errors.ts';
import type { AttentionSpec, LayerSpec, MlpSpec, ModelSpec, NormSpec } from '../models/decoder/spec.ts';

/** Elements of a model's widths that kernels take at once; parts of the parameters then begin where WebGPU can bind them. */
const WIDTH_MULTIPLE = 8;

/** Elements of a head that the backward kernels of attention take at most. */
const MOST_HEAD_DIM = 256;

/** Throws ShapeError for a model that cannot be trained, naming its type and what stands in the way. */
export function checkTrainable(spec: ModelSpec): void {
  const reason = obstacles(spec)[0];
  if (reason !== undefined)
    throw new ShapeError(`train: a model of type "${spec.type}" cannot be trained: ${reason}`);
}

function obstacles(spec: ModelSpec): string[] {
  const { embedding, encoder, head, hiddenSize, finalNorm, layers } = spec;
  return [
    ...(encoder ? ['there is no backward pass of an encoder'] : []),
    ...(embedding.scale === 1 ? [] : ['there is no backward pass of a scaled embedding']),
    ...(embedding.norm ? ['there is no backward pass of a norm behind the embedding'] : []),
    ...(head.scale === undefined && head.softcap === undefined
      ? []
      : ['there is no backward pass of scaled or capped logits']),
    ...(head.projection?.bias === undefined ? [] : ['there is no backward pass of a bias of the head']),
    ...widthObstacles('hidden size', hiddenSize),
    ...normObstacles(finalNorm),
    ...layers.flatMap(layerObstacles),
  ];
}

function layerObstacles(layer: LayerSpec): string[] {
  const { attention, attentionNorm, mlp, mlpNorm, afterAttention, afterMlp, cross, parallel } = layer;
  return [
    ...(parallel ? ['there is no backward pass of attention beside the feed-forward network'] : []),
    ...(cross ? ['there is no backward pass of cross-attention'] : []),
    ...(afterAttention || afterMlp ? ["there is no backward pass of norms behind a layer's products"] : []),
    ...normObstacles(attentionNorm),
    ...normObstacles(mlpNorm),
    ...attentionObstacles(attention),
    ...mlpObstacles(mlp),
  ];
}

function normObstacles({ fromOne, weight }: NormSpec): string[] {
  if (fromOne) return ['there is no backward pass of norms whose weights count from one'];
  return weight === undefined ? ['there is no backward pass of norms without weights'] : [];
}

function attentionObstacles(attention: AttentionSpec): string[] {
  const { headDim, window, softcap, relativeBias, qkNorm, turnsBack, q, k, v } = attention;
  const biases = [q, k, v].filter(({ bias }) => bias !== undefined).length;
  return [
    ...(window === undefined ? [] : ['there is no backward pass of attention with a window']),
    ...(softcap === undefined ? [] : ['there is no backward pass of attention with capped scores']),
    ...(relativeBias ? ['there is no backward pass of attention with a relative bias'] : []),
    ...(qkNorm ? ['there is no backward pass of norms of queries and keys'] : []),
    ...(turnsBack
      ? ['there is no backward pass of queries and keys that are turned the other way round']
      : []),
    ...(biases % 3 === 0 ? [] : ['q, k and v are expected to have biases all, or none']),
    ...widthObstacles('head dim', headDim),
    ...(headDim > MOST_HEAD_DIM ? [`its head dim is ${headDim}, at most ${MOST_HEAD_DIM} is expected`] : []),
  ];
}

function mlpObstacles({ gate, up, down }: MlpSpec): string[] {
  return [
    ...(gate && (gate.bias === undefined) !== (up.bias === undefined)
      ? ['gate and up are expected to have biases both, or none']
      : []),
    ...widthObstacles('width of the feed-forward network', up.outputs),
    ...widthObstacles('width of the residual stream', down.outputs),
  ];
}

function widthObstacles(name: string, width: number): string[] {
  return width % WIDTH_MULTIPLE === 0
    ? []
    : [`its ${name} is ${width}, a multiple of ${WIDTH_MULTIPLE} is expected`];
}

// gradientTwin.ts: the loss of a whole model on a batch and its gradients by every tensor, in float64, by backward passes written out.
import type { LayerSpec, MlpSpec, ModelSpec, NormSpec } from '../../models/decoder/spec.ts';
import { attention, softmax } from './attention.ts';
import { Parameters, type Tensors } from './parameters.ts';
import {
  activated,
  added,
  inTurn,
  norm,
  project,
  residual,
  scaled,
  softCapped,
  sumOf,
  type Step,
} from './steps.ts';

export type { Tensor, Tensors } from './parameters.ts';

/** A target that counts for nothing. */
export const NO_TARGET = 0xffffffff;

/** Sequences of tokens, [batch][context], and the token that each of them is to be followed by. */
export interface Batch {
  readonly tokens: readonly (readonly number[])[];
  readonly targets: readonly (readonly number[])[];
}

export interface LossAndGradients {
  /** Mean of -ln p(target) over all targets that count. */
  readonly loss: number;
  /** By the names of tensors, in their layout; 0 where a tensor has no part in the loss. */
  readonly gradients: ReadonlyMap<string, Float64Array>;
}

/** Throws Error for a model with an encoder or biases by distance, a tensor that is missing, and tokens that the model cannot take. */
export function gradientTwin(spec: ModelSpec, tensors: Tensors, batch: Batch): LossAndGradients {
  const parameters = new Parameters(tensors);
  const sequences = sequencesOf(spec, parameters, batch);
  for (const { back } of sequences) back();
  return { loss: meanLoss(sequences), gradients: parameters.gradients };
}

/** The loss alone. */
export function lossTwin(spec: ModelSpec, tensors: Tensors, batch: Batch): number {
  return meanLoss(sequencesOf(spec, new Parameters(tensors), batch));
}

interface Sequence {
  /** Its part of the mean. */
  readonly loss: number;
  readonly back: () => void;
}

const meanLoss = (sequences: readonly Sequence[]) => sequences.reduce((sum, { loss }) => sum + loss, 0);

function sequencesOf(spec: ModelSpec, parameters: Parameters, { tokens, targets }: Batch): Sequence[] {
  if (spec.encoder)
    throw new Error(`gradients of a model of type ${spec.type}, with an encoder, are not known`);
  const { embedding, hiddenSize, layers, finalNorm } = spec;
  const normOf = (each: NormSpec) => norm(parameters, hiddenSize, each);
  const toLogits = inTurn(
    ...(embedding.norm ? [normOf(embedding.norm)] : []),
    ...layers.map((layer) => layerOf(parameters, layer, normOf)),
    normOf(finalNorm),
    headOf(spec, parameters),
  );
  const counted = targets.flat().filter((target) => target !== NO_TARGET).length;
  return tokens.map((own, i) => {
    checkTokens(spec, own, targets[i]!);
    const embedded = embed(spec, parameters, own);
    const logits = toLogits(embedded.y);
    const { loss, dLogits } = crossEntropy(logits.y, targets[i]!, 1 / counted);
    return { loss, back: () => embedded.back(logits.back(dLogits)) };
  });
}

function checkTokens(spec: ModelSpec, tokens: readonly number[], targets: readonly number[]): void {
  const { vocabSize, embedding } = spec;
  if (tokens.length !== targets.length)
    throw new Error(`${tokens.length} tokens have ${targets.length} targets`);
  const wrong = [...tokens, ...targets.filter((target) => target !== NO_TARGET)].find(
    (id) => !(id >= 0 && id < vocabSize),
  );
  if (wrong !== undefined) throw new Error(`token ${wrong} is outside the vocabulary of ${vocabSize}`);
  const { count = Infinity } = embedding.positions ?? {};
  if (tokens.length > count) throw new Error(`${tokens.length} tokens are more than the ${count} positions`);
}

/** Rows of the table, and of positions where they are learned. */
function embed({ embedding, hiddenSize }: ModelSpec, parameters: Parameters, tokens: readonly number[]) {
  const { tensor, scale, positions } = embedding;
  /** The elements of a row of x, with their places in a table's row. */
  const places = tokens.flatMap((token, t) =>
    Array.from({ length: hiddenSize }, (_, i) => ({
      inTable: token * hiddenSize + i,
      at: t * hiddenSize + i,
    })),
  );
  const table = parameters.values(tensor);
  const learned = positions && parameters.values(positions.tensor);
  return {
    y: Float64Array.from(places, ({ inTable, at }) => table[inTable]! * scale + (learned ? learned[at]! : 0)),
    back: (dX: Float64Array) => {
      for (const { inTable, at } of places) {
        parameters.gradient(tensor)[inTable]! += dX[at]! * scale;
        if (positions) parameters.gradient(positions.tensor)[at]! += dX[at]!;
      }
    },
  };
}

function layerOf(parameters: Parameters, layer: LayerSpec, normOf: (norm: NormSpec) => Step): Step {
  const branch = (before: NormSpec, step: Step, behind: NormSpec | undefined) =>
    inTurn(normOf(before), step, ...(behind ? [normOf(behind)] : []));
  const attending = branch(layer.attentionNorm, attention(parameters, layer.attention), layer.afterAttention);
  const mlp = branch(layer.mlpNorm, mlpOf(parameters, layer.mlp), layer.afterMlp);
  return layer.parallel ? residual(sumOf(attending, mlp)) : inTurn(residual(attending), residual(mlp));
}

/** down(act(gate) * up), or down(act(up)). */
function mlpOf(parameters: Parameters, { activation, gate, up, down }: MlpSpec): Step {
  const [toUp, toDown] = [project(parameters, up), project(parameters, down)];
  if (!gate) return inTurn(toUp, activated(activation), toDown);
  return inTurn(gated(inTurn(project(parameters, gate), activated(activation)), toUp), toDown);
}

/** The product of what two steps make of the same rows, element by element. */
function gated(a: Step, b: Step): Step {
  return (x) => {
    const [left, right] = [a(x), b(x)];
    const times = (values: Float64Array, others: Float64Array) =>
      values.map((value, i) => value * others[i]!);
    return {
      y: times(left.y, right.y),
      back: (dY) => added(left.back(times(dY, right.y)), right.back(times(dY, left.y))),
    };
  };
}

/** Logits of rows behind the final norm; a tied head adds to the gradient of the embedding. */
function headOf({ head, embedding, vocabSize }: ModelSpec, parameters: Parameters): Step {
  const table = {
    tensor: embedding.tensor,
    transposed: false,
    outputs: vocabSize,
    rowOf: (row: number) => row,
  };
  return inTurn(
    project(parameters, head.projection ?? table),
    scaled(head.scale ?? 1),
    softCapped(head.softcap),
  );
}

/** The sum of `share` times -ln softmax(logits)[target] over rows, and its gradient by the logits. */
function crossEntropy(logits: Float64Array, targets: readonly number[], share: number) {
  const vocab = logits.length / targets.length;
  const dLogits = new Float64Array(logits.length);
  let loss = 0;
  for (const [row, target] of targets.entries()) {
    if (target === NO_TARGET) continue;
    const weights = softmax(logits.subarray(row * vocab, (row + 1) * vocab));
    loss -= share * Math.log(weights[target]!);
    dLogits.set(
      weights.map((weight, i) => share * (weight - (i === target ? 1 : 0))),
      row * vocab,
    );
  }
  return { loss, dLogits };
}

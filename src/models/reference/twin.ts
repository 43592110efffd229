// twin.ts: a whole model from its first token to its logits, in float64 or as a naive f32 implementation.
import { ShapeError } from '../../device/errors.ts';
import type { LayerSpec, ModelSpec, NormSpec } from '../decoder/spec.ts';
import { ModelParts } from './modelParts.ts';
import { sumOf } from './steps.ts';
import type { TwinOptions, TwinSource } from './twinOptions.ts';

/** Layers of an encoder, or of a decoder. */
export type Stack = 'encoder' | 'decoder';

/** Rows that a twin has come to, [T, width]; of `attention`, `cross` and `mlp` it is what they add. */
export interface TwinRows {
  readonly stack: Stack;
  readonly step: 'embedding' | 'attention' | 'cross' | 'mlp' | 'layer' | 'norm' | 'logits';
  /** Of the steps within layers. */
  readonly layer?: number;
  readonly width: number;
  readonly values: Float64Array;
}

/**
 * Takes a text from its first token on, and gives the rows behind each step in order, one tensor in memory at a time. With an encoder
 * the rows of the source come first, and the text begins with the model's start token. Throws ShapeError for a tensor that
 * is missing, and for a source where there is no encoder, or none where there is one.
 */
export async function* twinOf(
  source: TwinSource,
  tokens: readonly number[],
  options: TwinOptions = {},
): AsyncGenerator<TwinRows, void, undefined> {
  const { encoder, layers, finalNorm, vocabSize } = source.spec;
  const read = options.source ?? [];
  checkSource(source.spec, read);
  const parts = new ModelParts(source, { capacity: tokens.length, ...options });
  const encoded = encoder && (yield* stackOf(parts, { stack: 'encoder', ...encoder }, read));
  const normed = yield* stackOf(parts, { stack: 'decoder', layers, finalNorm }, tokens, encoded);
  yield { stack: 'decoder', step: 'logits', width: vocabSize, values: await parts.head(normed) };
}

/** Rows of tokens behind the final norm of a stack; `encoded`: those of the source. */
async function* stackOf(
  parts: ModelParts,
  { stack, layers, finalNorm }: { stack: Stack; layers: readonly LayerSpec[]; finalNorm: NormSpec },
  tokens: readonly number[],
  encoded?: Float64Array,
): AsyncGenerator<TwinRows, Float64Array, undefined> {
  const width = parts.hiddenSize;
  const rows = (step: TwinRows['step'], values: Float64Array) => ({ stack, step, width, values });
  let x = await parts.embedding(tokens);
  yield rows('embedding', x);
  for (const [layer, each] of layers.entries()) {
    const attention = await parts.attention({ of: stack, layer }, each, x);
    yield { ...rows('attention', attention), layer };
    let behind = sumOf(x, attention, parts.arithmetic);
    if (each.cross) {
      const cross = await parts.cross(layer, each.cross, behind, encoded!);
      yield { ...rows('cross', cross), layer };
      behind = sumOf(behind, cross, parts.arithmetic);
    }
    const mlp = await parts.mlp(each, each.parallel ? x : behind);
    yield { ...rows('mlp', mlp), layer };
    x = sumOf(behind, mlp, parts.arithmetic);
    yield { ...rows('layer', x), layer };
  }
  const normed = await parts.norm(finalNorm, x);
  yield rows('norm', normed);
  return normed;
}

function checkSource({ encoder, type }: ModelSpec, source: readonly number[]): void {
  if (!encoder === (source.length === 0)) return;
  throw new ShapeError(
    encoder
      ? `twin: expected a source of at least one token for the encoder of ${type}, got none`
      : `twin: expected no source, for a model of type ${type} has no encoder, got ${source.length} tokens`,
  );
}

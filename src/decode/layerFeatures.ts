// layerFeatures.ts: what a layer has for its features: sink logits and slopes of its query heads, its bias; checked and packed.
import { checkRange, type BufferArg, type BufferRange } from '../device/buffers.ts';
import { ShapeError } from '../device/errors.ts';
import type { GqaDevice } from '../device/gqaDevice.ts';
import { checkOptions, checkWhole, describe, isObject, type Known } from '../device/options.ts';
import type { FeatureOptions } from '../kernels/features.ts';
import type { GqaShape } from '../kernels/shape.ts';

/** A bias on scores, f32, one row behind the other. */
export interface BiasArg {
  readonly buffer: BufferArg;
  /**
   * Sizes of its axes: sequences (B, or 1 for all alike), query heads (Hq or 1), positions (Lq or 1), keys (as many as any step
   * over it attends to, or more).
   */
  readonly shape: readonly [batch: number, heads: number, positions: number, keys: number];
}

const BIAS_FIELDS = { buffer: true, shape: true } satisfies Known<BiasArg>;

/** What differs from layer to layer: each is given exactly where the decoder has the feature. */
export interface LayerFeatures {
  /** Sink logits, finite f32 [Hq]; for `features.sinkLogits`. */
  readonly sinkLogits?: ArrayLike<number>;
  /** Slopes, finite f32 [Hq]; for `features.alibi`. */
  readonly alibiSlopes?: ArrayLike<number>;
  /** For `features.bias`. */
  readonly bias?: BiasArg;
  /** For `features.relativeBias` n: f32 [Hq, 2 n + 1], by distance from n slots before the query's own to n behind it. */
  readonly relativeBias?: BufferArg;
}

export const LAYER_FEATURES = {
  sinkLogits: true,
  alibiSlopes: true,
  bias: true,
  relativeBias: true,
} satisfies Known<LayerFeatures>;

/** A layer's features, found to fit. */
export interface CheckedFeatures {
  /** Contents of lib head_numbers' binding; absent where no feature needs it. */
  readonly headNumbers?: Uint32Array<ArrayBuffer>;
  /** Of either kind. */
  readonly bias?: BufferRange;
  /** Keys that a bias has; Infinity without one. */
  readonly biasKeys: number;
}

/** Throws ShapeError for what is missing, not wanted or of another size. */
export function checkLayerFeatures(
  device: GqaDevice,
  where: string,
  given: LayerFeatures,
  { batch, numQHeads, qLen, features }: GqaShape,
): CheckedFeatures {
  checkWanted(where, 'sinkLogits', given.sinkLogits, 'sinkLogits', features);
  checkWanted(where, 'alibiSlopes', given.alibiSlopes, 'alibi', features);
  checkWanted(where, 'bias', given.bias, 'bias', features);
  checkWanted(where, 'relativeBias', given.relativeBias, 'relativeBias', features);
  const { sinkLogits, alibiSlopes, bias, relativeBias } = given;
  const relative = relativeBias !== undefined && {
    bias: checkRange(
      device,
      `${where}: relativeBias`,
      relativeBias,
      numQHeads * (2 * features.relativeBias! + 1) * 4,
    ),
  };
  if (!sinkLogits && !alibiSlopes && !bias) return { ...relative, biasKeys: Infinity };
  const words = new Uint32Array(4 + 4 * numQHeads);
  putNumbers(`${where}: sinkLogits`, sinkLogits, words, numQHeads, 0);
  putNumbers(`${where}: alibiSlopes`, alibiSlopes, words, numQHeads, 1);
  if (!bias) return { ...relative, headNumbers: words, biasKeys: Infinity };
  checkBiasShape(`${where}: bias`, bias, [batch, numQHeads, qLen]);
  const [sequences, heads, positions, keys] = bias.shape;
  words[0] = sequences === 1 ? 0 : heads * positions * keys;
  words[1] = heads === 1 ? 0 : positions * keys;
  words[2] = positions === 1 ? 0 : keys;
  words[3] = 1;
  const bytes = sequences * heads * positions * keys * 4;
  return {
    headNumbers: words,
    bias: checkRange(device, `${where}: bias`, bias.buffer, bytes),
    biasKeys: keys,
  };
}

function checkWanted(
  where: string,
  name: string,
  given: unknown,
  feature: keyof FeatureOptions,
  features: FeatureOptions,
): void {
  const value = features[feature];
  const wanted = value !== undefined && value !== false;
  if ((given !== undefined) === wanted) return;
  throw new ShapeError(
    wanted
      ? `${where}: ${name}: expected it, as the decoder has features: { ${feature}: ${value} }; got none`
      : `${where}: ${name}: expected a decoder that was created with features: { ${feature}: ${feature === 'relativeBias' ? 'n' : 'true'} }`,
  );
}

/** Puts a number of each head, as f32, into the place-th words of their vectors. */
function putNumbers(
  where: string,
  values: ArrayLike<number> | undefined,
  words: Uint32Array<ArrayBuffer>,
  count: number,
  place: number,
): void {
  if (values === undefined) return;
  checkHeadNumbers(where, values, count);
  const floats = new Float32Array(words.buffer);
  for (let head = 0; head < count; head++) floats[4 + 4 * head + place] = values[head]!;
}

/** Greatest magnitude of a head's number: no sum of it with a score leaves f32. */
const MOST = 1e30;

function checkHeadNumbers(where: string, values: ArrayLike<number>, count: number): void {
  if (!isObject(values) || values.length !== count) {
    const got = isObject(values) && typeof values.length === 'number' ? values.length : describe(values);
    throw new ShapeError(`${where}: expected ${count} numbers, one for each query head, got ${got}`);
  }
  for (let head = 0; head < count; head++) {
    const value = values[head];
    if (typeof value === 'number' && Math.abs(value) <= MOST) continue;
    throw new ShapeError(
      `${where}[${head}]: expected a number from ${-MOST} to ${MOST}, got ${describe(value)}`,
    );
  }
}

function checkBiasShape(where: string, bias: BiasArg, sizes: readonly number[]): void {
  checkOptions(where, bias, BIAS_FIELDS);
  const { shape } = bias;
  if (!Array.isArray(shape) || shape.length !== 4) {
    throw new ShapeError(
      `${where}: shape: expected [sequences, heads, positions, keys], got ${describe(shape)}`,
    );
  }
  for (const [axis, size] of sizes.entries()) {
    if (shape[axis] === 1 || shape[axis] === size) continue;
    throw new ShapeError(
      `${where}: shape[${axis}]: expected ${size === 1 ? 1 : `1 or ${size}`}, got ${describe(shape[axis])}`,
    );
  }
  checkWhole(`${where}: shape[3]`, shape[3], 1, 2 ** 32 - 1);
}

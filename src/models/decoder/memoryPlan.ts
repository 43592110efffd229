// memoryPlan.ts: the memory that a model and its texts take on a device, before anything is allocated; pure.
import { checkSegments } from '../../cache/cacheFits.ts';
import { cacheLayout } from '../../cache/layout.ts';
import { checkBufferBytes, checkFacts, type DeviceFacts } from '../../device/deviceFacts.ts';
import { GqaError, LimitExceededError } from '../../device/errors.ts';
import { checkOneOf, checkOptions } from '../../device/options.ts';
import { paddedWidth, type MatrixSizes, type WeightType } from '../../kernels/model/weightsLib.ts';
import { tileOf } from '../../kernels/model/variants.ts';
import { KV_TYPES } from '../../numbers/elements.ts';
import { activationBytes, layersOf } from './activations.ts';
import { cacheOptionsOf, type CacheSizes } from './cacheSizes.ts';
import { checkContext, CONTEXT_OPTIONS, type CheckedContext, type ContextOptions } from './contextArgs.ts';
import { crossLayers } from './crossLayers.ts';
import { encoderCacheOptions } from './encoderSizes.ts';
import { paddedHeadDim } from './headDims.ts';
import { cutTiles, matrixBytes } from './matrix.ts';
import { passSizes } from './passSizes.ts';
import { checkSource, type ModelSource } from './modelSource.ts';
import { typeOfDtypes } from './packing.ts';
import type { AttentionSpec, ModelSpec } from './spec.ts';

/** Bytes on the device. Norms, biases and scratch memory of attention, which are small, are not among them. */
export interface MemoryPlan {
  readonly weights: number;
  /** Of the sequences and, with an encoder, of their sources. */
  readonly kv: number;
  /** K and V of the encoder's layer that is being computed are among them. */
  readonly activations: number;
  readonly total: number;
  /** Bytes of K and V for each token of a sequence. */
  readonly kvPerToken: number;
  /** The same for each token of a source; 0 without an encoder. */
  readonly kvPerSourceToken: number;
}

/** A context, and how weights are to be stored. */
export interface MemoryOptions extends ContextOptions {
  /** Default: as the checkpoint has them. */
  readonly weightType?: WeightType;
}

/**
 * Plans the memory of a model with a context of these options. Throws LimitExceededError for the first buffer that the device
 * cannot have, with the cache types that would fit where it is the cache's.
 */
export function planMemory(source: ModelSource, options: MemoryOptions, facts: DeviceFacts): MemoryPlan {
  checkSource('planMemory: source', source);
  checkOptions('planMemory', options, { ...CONTEXT_OPTIONS, weightType: true });
  checkFacts('planMemory: facts', facts);
  const { weightType, ...ofContext } = options;
  if (weightType !== undefined) checkOneOf('planMemory: weightType', weightType, KV_TYPES);
  const { spec } = source;
  const checked = checkContext(ofContext, spec);
  const most = Math.min(facts.maxBindingBytes, facts.maxBufferBytes);
  let weights = 0;
  const typeOf = (projections: Projections) =>
    weightType ?? typeOfDtypes(projections.map(({ tensor }) => source.tensor(tensor)?.dtype ?? ''));
  for (const [name, sizes] of matricesOf(spec, typeOf, tileOf(facts))) {
    cutTiles(name, sizes, most);
    weights += matrixBytes(sizes);
  }
  const { own, source: ofSource } = cachesOf(spec, checked, facts);
  const kv = own.total + ofSource.total;
  const activations = Object.entries(activationBytes(spec, passSizes(spec, checked, facts)));
  for (const [name, bytes] of activations) checkBufferBytes(facts, `model: ${name}`, bytes);
  const ofActivations =
    activations.reduce((sum, [, bytes]) => sum + bytes, 0) + encoderCacheBytes(spec, checked, facts);
  return {
    weights,
    kv,
    activations: ofActivations,
    total: weights + kv + ofActivations,
    kvPerToken: own.perToken,
    kvPerSourceToken: ofSource.perToken,
  };
}

interface CacheBytes {
  readonly total: number;
  readonly perToken: number;
}

function cachesOf(
  spec: ModelSpec,
  { batch, capacity, kType, vType, sourceCapacity }: CheckedContext,
  facts: DeviceFacts,
): { own: CacheBytes; source: CacheBytes } {
  const sizes = { batch, capacity, kType, vType };
  return {
    own: kvBytes(spec.layers, sizes, facts),
    source: spec.encoder
      ? kvBytes(crossLayers(spec), { ...sizes, capacity: sourceCapacity }, facts)
      : { total: 0, perToken: 0 },
  };
}

function encoderCacheBytes({ encoder }: ModelSpec, sizes: CheckedContext, facts: DeviceFacts): number {
  if (!encoder) return 0;
  const layout = cacheLayout(encoderCacheOptions(encoder, sizes), facts);
  checkSegments("model: the encoder's layer", layout, facts);
  return layout.totalBytes;
}

function kvBytes(
  layers: readonly { readonly attention: AttentionSpec }[],
  caches: CacheSizes,
  facts: DeviceFacts,
): CacheBytes {
  const layout = cacheLayout(cacheOptionsOf(layers, caches), facts);
  const fits = (sizes: CacheSizes) =>
    checkSegments('kv cache', cacheLayout(cacheOptionsOf(layers, sizes), facts), facts);
  try {
    fits(caches);
  } catch (error) {
    if (!(error instanceof LimitExceededError)) throw error;
    const smaller = KV_TYPES.filter((type) => isRoomFor(() => fits({ ...caches, kType: type, vType: type })));
    error.message += smaller.length === 0 ? '' : `; with elements of ${smaller.join(' or ')} it would fit`;
    throw error;
  }
  const perToken = layout.perLayer.reduce((sum, { bytesPerToken }) => sum + bytesPerToken, 0);
  return { total: layout.totalBytes, perToken };
}

function isRoomFor(check: () => void): boolean {
  try {
    check();
    return true;
  } catch (error) {
    if (error instanceof GqaError) return false;
    throw error;
  }
}

/** What a matrix is made of. */
type Projections = readonly { readonly tensor: string }[];

function* matricesOf(
  spec: ModelSpec,
  typeOf: (projections: Projections) => WeightType,
  tile: number,
): Generator<readonly [string, MatrixSizes]> {
  const { hiddenSize, vocabSize, embedding, head } = spec;
  const inputs = paddedWidth(hiddenSize);
  const sizes = (from: Projections, width: number, outputs: number, matrices: 1 | 2 = 1): MatrixSizes => ({
    type: typeOf(from),
    inputs: width,
    outputs,
    matrices,
    tile,
  });
  yield [embedding.tensor, sizes([embedding], inputs, vocabSize)];
  for (const { attention, cross, mlp } of layersOf(spec)) {
    const { gate, up, down } = mlp;
    const { q, k, v } = attention;
    const { q: qWidth, kv } = widthsOf(attention);
    yield [q.tensor, sizes([q, k, v], inputs, qWidth + kv)];
    yield [attention.o.tensor, sizes([attention.o], paddedWidth(qWidth), hiddenSize)];
    if (cross) {
      const { q: ofQ, k: ofK, v: ofV, o } = cross.attention;
      const widths = widthsOf(cross.attention);
      yield [ofQ.tensor, sizes([ofQ], inputs, widths.q)];
      yield [ofK.tensor, sizes([ofK, ofV], inputs, widths.kv)];
      yield [o.tensor, sizes([o], paddedWidth(widths.q), hiddenSize)];
    }
    yield [up.tensor, sizes(gate ? [gate, up] : [up], inputs, up.outputs, gate ? 2 : 1)];
    yield [down.tensor, sizes([down], paddedWidth(up.outputs), hiddenSize)];
  }
  if (head.projection) yield [head.projection.tensor, sizes([head.projection], inputs, vocabSize)];
}

/** Outputs of the projections to queries, and to K and V together, heads padded. */
function widthsOf({ numQHeads, numKvHeads, headDim }: AttentionSpec): { q: number; kv: number } {
  const dim = paddedHeadDim(headDim);
  return { q: numQHeads * dim, kv: 2 * numKvHeads * dim };
}

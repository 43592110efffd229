// memoryPlan.ts: the memory that a model and its texts take on a device, before anything is allocated; pure.
import { cacheLayout } from '../../cache/layout.ts';
import { checkBufferBytes, checkFacts, type DeviceFacts } from '../../device/deviceFacts.ts';
import { GqaError, LimitExceededError } from '../../device/errors.ts';
import { checkOneOf, checkOptions } from '../../device/options.ts';
import { paddedWidth, type MatrixSizes, type WeightType } from '../../kernels/model/weightsLib.ts';
import { tileOf } from '../../kernels/model/variants.ts';
import { KV_TYPES } from '../../numbers/elements.ts';
import { activationBytes } from './activations.ts';
import { cacheOptionsOf, type CacheSizes } from './attentionStack.ts';
import { checkContext, CONTEXT_OPTIONS, type ContextOptions } from './contextArgs.ts';
import { paddedHeadDim } from './headDims.ts';
import { cutTiles, matrixBytes } from './matrix.ts';
import { passSizes } from './passSizes.ts';
import { checkSource, type ModelSource } from './modelSource.ts';
import { typeOfDtypes } from './packing.ts';
import type { ModelSpec } from './spec.ts';

/** Bytes on the device. Norms, biases and scratch memory of attention, which are small, are not among them. */
export interface MemoryPlan {
  readonly weights: number;
  readonly kv: number;
  readonly activations: number;
  readonly total: number;
  /** Bytes of K and V for each token of a sequence. */
  readonly kvPerToken: number;
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
  const { chunk, ...caches } = checkContext(ofContext, spec);
  const most = Math.min(facts.maxBindingBytes, facts.maxBufferBytes);
  let weights = 0;
  const typeOf = (projections: Projections) =>
    weightType ?? typeOfDtypes(projections.map(({ tensor }) => source.tensor(tensor)?.dtype ?? ''));
  for (const [name, sizes] of matricesOf(spec, typeOf, tileOf(facts))) {
    cutTiles(name, sizes, most);
    weights += matrixBytes(sizes);
  }
  const kv = kvBytes(spec, caches, facts);
  const activations = Object.entries(activationBytes(spec, passSizes(spec, { ...caches, chunk }, facts)));
  for (const [name, bytes] of activations) checkBufferBytes(facts, `model: ${name}`, bytes);
  const ofActivations = activations.reduce((sum, [, bytes]) => sum + bytes, 0);
  return {
    weights,
    kv: kv.total,
    activations: ofActivations,
    total: weights + kv.total + ofActivations,
    kvPerToken: kv.perToken,
  };
}

function kvBytes(
  spec: ModelSpec,
  caches: CacheSizes,
  facts: DeviceFacts,
): { total: number; perToken: number } {
  const layout = cacheLayout(cacheOptionsOf(spec, caches));
  const fits = (sizes: CacheSizes) => {
    for (const { kBytes, vBytes } of cacheLayout(cacheOptionsOf(spec, sizes)).perLayer) {
      checkBufferBytes(facts, 'kv cache: K of one layer', kBytes);
      checkBufferBytes(facts, 'kv cache: V of one layer', vBytes);
    }
  };
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
  for (const { attention, mlp } of spec.layers) {
    const { q, k, v, o, numQHeads, numKvHeads, headDim } = attention;
    const { gate, up, down } = mlp;
    const dim = paddedHeadDim(headDim);
    yield [q.tensor, sizes([q, k, v], inputs, (numQHeads + 2 * numKvHeads) * dim)];
    yield [o.tensor, sizes([o], paddedWidth(numQHeads * dim), hiddenSize)];
    yield [up.tensor, sizes(gate ? [gate, up] : [up], inputs, up.outputs, gate ? 2 : 1)];
    yield [down.tensor, sizes([down], paddedWidth(up.outputs), hiddenSize)];
  }
  if (head.projection) yield [head.projection.tensor, sizes([head.projection], inputs, vocabSize)];
}

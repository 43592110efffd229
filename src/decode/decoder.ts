// decoder.ts: compiles the kernels of decode steps, plans them, and binds the buffers of layers.
import { KvCache } from '../cache/kvCache.ts';
import { layoutOfLayer, type CacheLayout } from '../cache/layout.ts';
import { pagesOf } from '../cache/pagePool.ts';
import { rangesByName } from '../cache/layers.ts';
import { checkRingDecoder, ringText } from '../cache/rings.ts';
import {
  allocated,
  checkRange,
  createUniform,
  checkWritten,
  type BufferArg,
  type BufferRange,
} from '../device/buffers.ts';
import { DestroyedError, ForeignDeviceError, ShapeError } from '../device/errors.ts';
import { checkDevice, type GqaDevice } from '../device/gqaDevice.ts';
import {
  checkInstance,
  checkList,
  checkOptions,
  checkWhole,
  pickKnown,
  type Known,
} from '../device/options.ts';
import { StepRing } from '../device/ring.ts';
import { validated } from '../device/scopes.ts';
import { exactBytes, type RowPlaces } from '../kernels/rowPlaces.ts';
import { checkShape, type GqaShape, type ShapeOptions } from '../kernels/shape.ts';
import { stepWordCount } from '../kernels/stepNumbers.ts';
import { CHOICE_OPTIONS, chooseContext, type ChoiceOptions } from './context.ts';
import { createFusedPath } from './fusedPath.ts';
import {
  checkLayerFeatures,
  LAYER_FEATURES,
  type CheckedFeatures,
  type LayerFeatures,
} from './layerFeatures.ts';
import { DecodeStep } from './decodeStep.ts';
import type { DecodePath, StepBuffers } from './path.ts';
import { PLAN_OPTIONS, planDecode, type DecodePlan, type PlanOptions } from './plan.ts';
import { checkChoice, checkKernel, type PlanContext } from './planContext.ts';
import { createPlainPath } from './plainPath.ts';
import { planPages } from './planPages.ts';
import { checkTuning } from './tuning.ts';
import { checkOwnEntries } from './tuningFaults.ts';

/** What a decoder adds to its cache's shape. */
export type OwnShape = Pick<ShapeOptions, 'numQHeads' | 'qLen' | 'causal' | 'features'>;

/** What a decoder is made for. Batch, KV heads and head dims are those of the cache. */
export interface DecoderOptions extends OwnShape, ChoiceOptions {
  /** The cache to attend over; of the same GqaDevice. */
  readonly cache: KvCache;
  /** A layer of the shape that the decoder is for, where layers differ: it takes all of that shape. From 0, default 0. */
  readonly layer?: number;
}

const OWN_SHAPE = {
  numQHeads: true,
  qLen: true,
  causal: true,
  features: true,
} satisfies Known<OwnShape>;

const DECODER_OPTIONS = {
  cache: true,
  layer: true,
  ...OWN_SHAPE,
  ...CHOICE_OPTIONS,
} satisfies Known<DecoderOptions>;

/**
 * The buffers of one layer's step, rows as the decoder's options `q` and `o` say: by default q is f32 [B, Hq, Lq, D], o f32
 * [B, Hq, Lq, Dv] and lse (optional) f32 [B, Hq, Lq], natural logarithm. The rows of positions that a sequence does not have in
 * a plan are neither read nor written.
 *
 * A row that sees no key gets o = 0 and lse = LSE_EMPTY. One that sees a key whose score, or a sum on the way to it, is not
 * finite in f32 or beyond 2.9e38 gets NaN for both, so that no numbers hide it: q or K hold NaN or infinity, or are too
 * large. NaN or infinity in o beside a finite lse come from V: it holds them, or its weighted sum leaves f32.
 */
export interface StepArgs extends LayerFeatures {
  /** Layer of the cache, from 0. Default 0; in a list, the place in it. */
  readonly layer?: number;
  /** Queries; exactly as many bytes as dense rows take, and for packed rows and strides as many as a plan reaches. */
  readonly q: BufferArg;
  /** Output, as many bytes; another buffer than the others. */
  readonly o: BufferArg;
  /**
   * Natural log-sum-exp of the scaled scores, f32: [B, Hq, Lq] for o in that order or by strides, [B, Lq, Hq] for `BLHD`,
   * [tokens, Hq] for packed rows. Default: none is written, and kernels with a binding less are used.
   */
  readonly lse?: BufferArg;
}

const STEP_ARGS = {
  layer: true,
  q: true,
  o: true,
  lse: true,
  ...LAYER_FEATURES,
} satisfies Known<StepArgs>;

/** What a step is planned for. */
export interface StepPlanOptions extends PlanOptions {
  /** Tokens to attend to per sequence, those that this step appends included. */
  readonly kvLens: readonly number[];
}

const STEP_PLAN_OPTIONS = { kvLens: true, ...PLAN_OPTIONS } satisfies Known<StepPlanOptions>;

/**
 * Chooses a decoder's kernels and allocates its scratch; `bind` compiles and binds. All waiting happens in these two. Throws
 * ShapeError and LimitExceededError for what cannot be, FeatureMissingError for a kernel the device cannot run, GpuError for want of memory.
 * The first decoder of a device with subgroups probes them: `context.subgroups` says what was found.
 */
export async function createDecoder(device: GqaDevice, options: DecoderOptions): Promise<Decoder> {
  checkDevice('createDecoder', device);
  device.assertUsable();
  checkOptions('decoder', options, DECODER_OPTIONS);
  const { cache, kernel, tuning } = options;
  checkInstance('decoder: cache', cache, KvCache);
  cache.assertUsable();
  if (cache.device !== device)
    throw new ForeignDeviceError('decoder: the cache belongs to another GqaDevice');
  checkKernel('decoder', kernel);
  if (tuning !== undefined) {
    checkTuning('decoder: tuning', tuning);
    checkOwnEntries('decoder: tuning', tuning, device.gpu.adapterInfo, device.facts);
  }
  checkChoice('decoder', options);
  const { layer = 0 } = options;
  checkWhole('decoder: layer', layer, 0, cache.layout.layers - 1);
  const layout = layoutOfLayer(cache.layout, layer);
  const shape = checkShape({ ...pickKnown<OwnShape>(options, OWN_SHAPE), ...pickShape(layout) });
  checkRingDecoder('decoder', layout.ring, shape);
  const choice = pickKnown<ChoiceOptions>(options, CHOICE_OPTIONS);
  const context = await chooseContext(device, shape, layout, choice);
  const createPath = context.kernel === 'plain' ? createPlainPath : createFusedPath;
  return allocated(device, 'decoder: scratch memory', (create) => {
    return new Decoder(cache, context, createPath(device, context, create));
  });
}

function pickShape(layout: CacheLayout): Pick<GqaShape, 'batch' | 'numKvHeads' | 'headDim' | 'vHeadDim'> {
  const { batch, numKvHeads, headDim, vHeadDim } = layout;
  return { batch, numKvHeads, headDim, vHeadDim };
}

/** A step's buffers, found to fit. */
interface CheckedStep {
  readonly layer: number;
  readonly buffers: Omit<StepBuffers, 'features'>;
  readonly features: CheckedFeatures;
}

/** Attention of new query rows over a cache; what its numbers mean, and NaN among them, is said at StepArgs. Never destroys the cache. */
export class Decoder {
  readonly device: GqaDevice;
  readonly cache: KvCache;
  readonly shape: GqaShape;
  readonly context: PlanContext;
  readonly #path: DecodePath;
  readonly #ring: StepRing;
  /** Numbers of the heads of bound layers. */
  readonly #uniforms: GPUBuffer[] = [];
  #destroyed = false;

  /** @internal Use createDecoder. */
  constructor(cache: KvCache, context: PlanContext, path: DecodePath) {
    const { device } = cache;
    this.device = device;
    this.cache = cache;
    this.shape = context.shape;
    this.context = context;
    this.#path = path;
    const { batch, qLen, features } = context.shape;
    const trees = features.treeMask ? batch * qLen : 0;
    const { capacity, pageSize } = context.layout;
    const pages = pageSize === undefined ? 0 : batch * pagesOf(capacity, pageSize);
    const words = stepWordCount(batch, batch + context.maxPartials, { treePositions: trees, pages });
    this.#ring = new StepRing(device, 'decode step', words);
  }

  /**
   * Plans a step over these lengths. One plan serves all layers. A cache of pages takes those that the step's new tokens need,
   * and throws OutOfPagesError when there are too few. The lengths are never taken from the cache, which counts a token
   * only once its append was recorded: a plan made before that would leave it out.
   */
  plan(options: StepPlanOptions): DecodePlan {
    this.assertUsable();
    checkOptions('plan', options, STEP_PLAN_OPTIONS);
    const { kvLens, ...planOptions } = options;
    return planDecode(this.context, kvLens, planOptions, planPages(this.cache, kvLens));
  }

  /**
   * Binds the buffers of one layer, once; the result then records any number of steps without creating GPU objects. The first
   * call compiles the kernels. Throws ShapeError for a buffer of the wrong size, ForeignDeviceError for one of another device.
   */
  async bind(args: StepArgs): Promise<DecodeStep> {
    this.assertUsable();
    const [step] = await this.#bindAll([this.#checked('bind', args, 0)]);
    return step!;
  }

  /**
   * As `bind`, for several layers at once with a single wait: the results are in the order of the list, and a `layer` that is
   * left out is the place in it. Nothing is bound when one is refused.
   */
  async bindLayers(layers: readonly StepArgs[]): Promise<DecodeStep[]> {
    this.assertUsable();
    checkList('bindLayers: layers', layers);
    return this.#bindAll(layers.map((args, i) => this.#checked(`bindLayers: layers[${i}]`, args, i)));
  }

  #checked(where: string, args: StepArgs, defaultLayer: number): CheckedStep {
    checkOptions(where, args, STEP_ARGS);
    const { layer = defaultLayer, q, o, lse } = args;
    checkWhole(`${where}: layer`, layer, 0, this.cache.layout.layers - 1);
    this.#checkLayerShape(where, layer);
    const ranges = {
      q: this.#checkRows(`${where}: q`, q, this.context.q),
      o: this.#checkRows(`${where}: o`, o, this.context.o),
      ...(lse !== undefined && { lse: this.#checkRows(`${where}: lse`, lse, this.context.lse) }),
    };
    const { segments } = this.cache.layers[layer]!;
    const features = checkLayerFeatures(this.device, where, args, this.shape);
    const { bias } = features;
    checkWritten(where, lse === undefined ? ['o'] : ['o', 'lse'], {
      ...ranges,
      ...(bias && { bias }),
      ...rangesByName(segments),
    });
    return { layer, buffers: { ...ranges, segments, ring: this.#ring }, features };
  }

  /** Dense rows are exactly as many bytes; how many others take is known when a plan is recorded. */
  #checkRows(where: string, arg: BufferArg, places: RowPlaces): BufferRange {
    const { batch, numQHeads, qLen } = this.shape;
    return checkRange(this.device, where, arg, exactBytes(places, { batch, heads: numQHeads, qLen }));
  }

  #checkLayerShape(where: string, layer: number): void {
    const { numKvHeads, headDim, vHeadDim } = this.shape;
    const given = this.cache.layout.perLayer[layer]!;
    const same = given.headDim === headDim && given.vHeadDim === vHeadDim;
    if (given.numKvHeads !== numKvHeads || !same) {
      throw new ShapeError(
        `${where}: layer ${layer}: expected a layer of ${numKvHeads} KV heads and head dims ${headDim} and ${vHeadDim}, as the decoder's, ` +
          `got one of ${given.numKvHeads}, ${given.headDim} and ${given.vHeadDim}`,
      );
    }
    const [ring, givenRing] = [ringText(this.context.layout.ring), ringText(given.ring)];
    if (ring === givenRing) return;
    throw new ShapeError(
      `${where}: layer ${layer}: expected a layer with ${ring}, as the decoder's, got one with ${givenRing}`,
    );
  }

  async #bindAll(steps: readonly CheckedStep[]): Promise<DecodeStep[]> {
    const compiled = await Promise.all(
      steps.map(({ buffers }) => this.#path.compile(buffers.lse !== undefined)),
    );
    const records = await validated(this.device, 'bind', () =>
      steps.map(({ buffers, features }, i) =>
        compiled[i]!({ ...buffers, features: this.#featureBuffers(features) }),
      ),
    );
    return steps.map(
      ({ layer, buffers, features }, i) =>
        new DecodeStep(this, layer, records[i]!, buffers, features.biasKeys),
    );
  }

  #featureBuffers({ headNumbers, bias }: CheckedFeatures): StepBuffers['features'] {
    if (!headNumbers) return { ...(bias && { bias }) };
    const buffer = createUniform(this.device, 'head numbers', headNumbers);
    this.#uniforms.push(buffer);
    return { head_numbers: { buffer, offset: 0, size: buffer.size }, ...(bias && { bias }) };
  }

  /** Throws when the decoder, its cache or its device cannot be used any more. */
  assertUsable(): void {
    if (this.#destroyed) throw new DestroyedError('the decoder');
    this.cache.assertUsable();
  }

  /** Frees scratch memory. Idempotent; the cache and the caller's buffers stay. */
  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#path.destroy();
    for (const buffer of this.#uniforms) buffer.destroy();
    this.#ring.destroy();
  }

  [Symbol.dispose](): void {
    this.destroy();
  }
}

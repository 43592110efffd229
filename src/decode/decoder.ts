// decoder.ts: compiles the kernels of a decode step and records it into the caller's encoder or pass.
import type { KvCache } from '../cache/kvCache.ts';
import {
  allocated,
  checkRange,
  checkWritten,
  createStorage,
  validated,
  type BufferArg,
} from '../device/buffers.ts';
import { DestroyedError, ForeignDeviceError, ShapeError } from '../device/errors.ts';
import type { GqaDevice } from '../device/gqaDevice.ts';
import { beginPass, endPass, type RecordTarget } from '../device/record.ts';
import { StepRing } from '../device/ring.ts';
import { checkVariant } from '../kernels/fused.ts';
import { checkShape, checkWhole, type GqaShape, type ShapeOptions } from '../kernels/shape.ts';
import { compileFusedPath } from './fusedPath.ts';
import type { DecodePath, StepBuffers } from './path.ts';
import {
  DECODE_KERNELS,
  mostStepWords,
  planContext,
  planDecode,
  type ContextOptions,
  type DecodePlan,
  type PlanContext,
  type PlanOptions,
} from './plan.ts';
import { compilePlainPath } from './plainPath.ts';
import { tunedFor, type Tuning } from './tuning.ts';

/** What a decoder is made for. Batch, KV heads and head dim are the cache's. */
export interface DecoderOptions extends Pick<ShapeOptions, 'numQHeads' | 'qLen' | 'causal'>, ContextOptions {
  /** The cache to attend over; of the same GqaDevice. */
  readonly cache: KvCache;
  /**
   * What was measured on devices, as `parseTuning` reads it; `auto` takes this device's entry for this class of shapes, if
   * there is one. Default: nothing was.
   */
  readonly tuning?: Tuning;
}

/** The buffers of one layer's step: q and o are f32 [B, Hq, Lq, D], lse (optional) f32 [B, Hq, Lq], natural logarithm. */
export interface StepArgs {
  /** Layer of the cache, from 0. Default 0. */
  readonly layer?: number;
  /** Queries, f32 [B, Hq, Lq, D]; exactly that many bytes. */
  readonly q: BufferArg;
  /** Output, f32 [B, Hq, Lq, D]; another buffer than the others. */
  readonly o: BufferArg;
  /** Natural log-sum-exp of the scaled scores, f32 [B, Hq, Lq]. Default: it is thrown away. */
  readonly lse?: BufferArg;
}

/**
 * Compiles a decoder's kernels and allocates its scratch. All waiting happens here and in `step`. Throws ShapeError and
 * LimitExceededError for what cannot be, FeatureMissingError for a kernel the device cannot run, GpuError for want of memory.
 */
export async function createDecoder(device: GqaDevice, options: DecoderOptions): Promise<Decoder> {
  device.assertUsable();
  const { cache, kernel = 'auto' } = options;
  cache.assertUsable();
  if (cache.device !== device)
    throw new ForeignDeviceError('decoder: the cache belongs to another GqaDevice');
  if (kernel !== 'auto' && !DECODE_KERNELS.includes(kernel)) {
    throw new ShapeError(`decoder: kernel must be one of auto, ${DECODE_KERNELS.join(', ')}, got ${kernel}`);
  }
  const shape = checkShape({ ...options, ...pickShape(cache) });
  const { adapterInfo } = device.device;
  const known = options.tuning && tunedFor(options.tuning, adapterInfo, device.facts, shape, cache.layout);
  const context = planContext(shape, cache.layout, device.facts, {
    ...(known && { tuned: known }),
    ...options,
  });
  const plain = context.kernel === 'plain';
  if (!plain) checkVariant(shape, cache.layout, context.variant, device.facts);
  const createPath = await (plain ? compilePlainPath(device, context) : compileFusedPath(device, context));
  return allocated(
    device,
    'decoder: scratch memory',
    () => new Decoder(device, cache, context, createPath()),
  );
}

function pickShape(cache: KvCache): Pick<GqaShape, 'batch' | 'numKvHeads' | 'headDim'> {
  const { batch, numKvHeads, headDim } = cache.layout;
  return { batch, numKvHeads, headDim };
}

/** Attention of new query rows over a cache. Never destroys the cache. */
export class Decoder {
  readonly device: GqaDevice;
  readonly cache: KvCache;
  readonly shape: GqaShape;
  readonly context: PlanContext;
  readonly #path: DecodePath;
  readonly #ring: StepRing;
  readonly #unwantedLse: GPUBuffer;
  #destroyed = false;

  /** @internal Use createDecoder. */
  constructor(device: GqaDevice, cache: KvCache, context: PlanContext, path: DecodePath) {
    this.device = device;
    this.cache = cache;
    this.shape = context.shape;
    this.context = context;
    this.#path = path;
    const { batch } = context.shape;
    this.#ring = new StepRing(device, 'decode step', mostStepWords(batch, batch + context.maxPartials));
    this.#unwantedLse = createStorage(device, 'lse', context.shape.rows * 4);
  }

  /** Plans a step over these lengths (default: what layer 0 of the cache holds). One plan serves all layers. */
  plan(options: PlanOptions & { readonly kvLens?: readonly number[] } = {}): DecodePlan {
    this.assertUsable();
    return planDecode(this.context, options.kvLens ?? this.cache.kvLens(), options);
  }

  /**
   * Binds the buffers of one layer, once; the result then records any number of steps without creating GPU
   * objects. Throws
   * ShapeError for a buffer of the wrong size, ForeignDeviceError for one of another device.
   */
  async step({ layer = 0, q, o, lse = this.#unwantedLse }: StepArgs): Promise<DecodeStep> {
    this.assertUsable();
    const { rows, headDim } = this.shape;
    const { kBytes, vBytes, layers } = this.cache.layout;
    checkWhole('step: layer', layer, 0, layers - 1);
    const ranges = {
      q: checkRange(this.device, 'step: q', q, rows * headDim * 4),
      o: checkRange(this.device, 'step: o', o, rows * headDim * 4),
      lse: checkRange(this.device, 'step: lse', lse, rows * 4),
      k: { buffer: this.cache.layers[layer]!.k, offset: 0, size: kBytes },
      v: { buffer: this.cache.layers[layer]!.v, offset: 0, size: vBytes },
    };
    checkWritten('step', ['o', 'lse'], ranges);
    const buffers: StepBuffers = { ...ranges, ring: this.#ring };
    const record = await validated(this.device, 'step', () => this.#path.bind(buffers));
    return new DecodeStep(this, layer, record, this.#ring);
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
    this.#ring.destroy();
    this.#unwantedLse.destroy();
  }

  [Symbol.dispose](): void {
    this.destroy();
  }
}

/** One layer's step with its buffers bound. */
export class DecodeStep {
  readonly #decoder: Decoder;
  readonly #layer: number;
  readonly #record: ReturnType<DecodePath['bind']>;
  readonly #ring: StepRing;

  /** @internal Use Decoder.step. */
  constructor(decoder: Decoder, layer: number, record: ReturnType<DecodePath['bind']>, ring: StepRing) {
    this.#decoder = decoder;
    this.#layer = layer;
    this.#record = record;
    this.#ring = ring;
  }

  /**
   * Records the step into an encoder (a pass is opened and ended) or a compute pass (left open). Synchronous, never
   * submits. Up to RING_SLOTS different plans may be recorded before the first of them is submitted.
   */
  record(target: RecordTarget, plan: DecodePlan): void {
    this.#decoder.assertUsable();
    if (plan.shape !== this.#decoder.shape)
      throw new ShapeError('record: the plan was made by another decoder');
    const held = this.#decoder.cache.liveKvLens(this.#layer);
    for (let b = 0; b < held.length; b++) {
      if (plan.kvLens[b]! > held[b]!) {
        throw new ShapeError(
          `record: layer ${this.#layer}, sequence ${b}: expected a plan for at most the ${held[b]} tokens held, got ${plan.kvLens[b]}`,
        );
      }
    }
    const offset = this.#ring.place(plan.stepWords, plan);
    const pass = beginPass(target);
    this.#record(pass, plan, offset);
    endPass(target, pass);
  }

  /** Records into an encoder of its own and submits; does not wait. */
  run(plan: DecodePlan): void {
    const { device } = this.#decoder.device;
    const encoder = device.createCommandEncoder({ label: 'decode step' });
    this.record(encoder, plan);
    device.queue.submit([encoder.finish()]);
  }
}

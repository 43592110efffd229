// model.ts: a transformer whose weights are on a device.
import { DestroyedError } from '../../device/errors.ts';
import { checkDevice, type GqaDevice } from '../../device/gqaDevice.ts';
import { checkFunction, checkOneOf, checkOptions } from '../../device/options.ts';
import { KV_TYPES } from '../../numbers/elements.ts';
import { createContext, type ModelContext } from './context.ts';
import type { ContextOptions } from './contextArgs.ts';
import { WEIGHT_OPTIONS, type LoadedWeights, type WeightOptions } from './loadedWeights.ts';
import { loadWeights } from './loadWeights.ts';
import { checkSource, type ModelSource } from './modelSource.ts';
import type { ModelSpec } from './spec.ts';

/** A model's weights on a device. */
export class Model {
  readonly device: GqaDevice;
  readonly spec: ModelSpec;
  /** @internal */
  readonly weights: LoadedWeights;
  readonly #buffers: readonly GPUBuffer[];
  #destroyed = false;

  /** @internal Use loadModel. */
  constructor(device: GqaDevice, spec: ModelSpec, weights: LoadedWeights, buffers: readonly GPUBuffer[]) {
    this.device = device;
    this.spec = spec;
    this.weights = weights;
    this.#buffers = buffers;
  }

  /** Bytes of its weights on the device. */
  get weightBytes(): number {
    return this.weights.bytes;
  }

  /** Allocates caches and buffers for texts: see ContextOptions. */
  createContext(options: ContextOptions): Promise<ModelContext> {
    this.assertUsable();
    return createContext(this, options);
  }

  /** Throws when the model or its device cannot be used any more. */
  assertUsable(): void {
    if (this.#destroyed) throw new DestroyedError('the model');
    this.device.assertUsable();
  }

  /** Frees the weights. Idempotent. Contexts made of it cannot be used any more. */
  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    for (const buffer of this.#buffers) buffer.destroy();
  }

  [Symbol.dispose](): void {
    this.destroy();
  }
}

/**
 * Loads weights onto a device, tensor by tensor. Throws ShapeError for what is no model and for wrong options, LimitExceededError and GpuError when the device has no room; nothing stays allocated then.
 */
export async function loadModel(
  device: GqaDevice,
  source: ModelSource,
  options: WeightOptions = {},
): Promise<Model> {
  checkDevice('loadModel', device);
  device.assertUsable();
  checkSource('loadModel: source', source);
  checkOptions('loadModel', options, WEIGHT_OPTIONS);
  const { weightType, onProgress } = options;
  if (weightType !== undefined) checkOneOf('loadModel: weightType', weightType, KV_TYPES);
  if (onProgress !== undefined) checkFunction('loadModel: onProgress', onProgress);
  return load(device, source, options);
}

/**
 * @internal Loads another variant of a model, which differs in its attention alone: MLPs, embedding, head and encoder are the other's, which has
 * to outlive it.
 */
export function loadVariant(beside: Model, source: ModelSource, options: WeightOptions): Promise<Model> {
  return load(beside.device, source, options, beside.weights);
}

async function load(
  device: GqaDevice,
  source: ModelSource,
  options: WeightOptions,
  shared?: LoadedWeights,
): Promise<Model> {
  const { spec } = source;
  const buffers: GPUBuffer[] = [];
  try {
    const weights = await loadWeights(
      device,
      spec,
      source,
      options,
      (buffer) => buffers.push(buffer),
      shared,
    );
    return new Model(device, spec, weights, buffers);
  } catch (error) {
    for (const buffer of buffers) buffer.destroy();
    throw error;
  }
}

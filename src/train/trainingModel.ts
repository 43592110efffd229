// trainingModel.ts: a model's parameters on a device with its forward and backward passes, bound once.
import { copyOut, writeData } from '../device/buffers.ts';
import { DestroyedError, ForeignDeviceError, ShapeError } from '../device/errors.ts';
import type { GqaDevice } from '../device/gqaDevice.ts';
import { submitted } from '../device/scopes.ts';
import type { ModelSpec } from '../models/decoder/spec.ts';
import { allocateTraining, planTraining, type Allocated, type TrainingSizes } from './allocation.ts';
import { TrainingAttention } from './attention.ts';
import { Binder, inTurn, rangeOfBlock, wholeRange, type Recorded } from './binder.ts';
import { bindEmbedding, EmbeddingBack, type EmbeddingParts } from './embedding.ts';
import { bindHead, type BoundHead, type Teacher } from './head.ts';
import { bindLayer, bindLayerBack, type LayerParts } from './layer.ts';
import type { ParameterLayout } from './parameters.ts';

/** Tokens of a pass, and the ones that are to follow each: [B, T] both. */
export interface Batch {
  readonly tokens: Uint32Array<ArrayBuffer>;
  readonly targets: Uint32Array<ArrayBuffer>;
}

/** How a training model is made. */
export interface TrainingModelOptions extends TrainingSizes {
  /** Whose logits it learns in place of the targets: a model of the same vocabulary and sizes. */
  readonly teacher?: TrainingModel;
}

/** What is bound for backward passes. */
interface Back {
  readonly layers: Recorded;
  readonly tokens: EmbeddingBack;
  readonly positions: EmbeddingBack | undefined;
}

interface Bound {
  readonly binder: Binder;
  readonly attention: TrainingAttention;
  /** From tokens to the final norm. */
  readonly forward: Recorded;
  readonly head: BoundHead;
  readonly back: Back | undefined;
}

/** A model that learns, or is evaluated. Its parameters are f32, one behind the other in one buffer, as `layout` says. */
export class TrainingModel {
  readonly device: GqaDevice;
  readonly spec: ModelSpec;
  readonly layout: ParameterLayout;
  readonly sizes: TrainingSizes;
  readonly #allocated: Allocated;
  readonly #bound: Bound;
  readonly #teacher: TrainingModel | undefined;
  #destroyed = false;

  private constructor(
    device: GqaDevice,
    spec: ModelSpec,
    { batch, context, learns, teacher }: TrainingModelOptions,
    memory: Allocated,
    bound: Bound,
  ) {
    this.device = device;
    this.spec = spec;
    this.layout = memory.layout;
    this.sizes = { batch, context, learns };
    this.#allocated = memory;
    this.#bound = bound;
    this.#teacher = teacher;
  }

  /**
   * Allocates a model and binds its passes. Throws ShapeError for one that there are no backward kernels for, LimitExceededError
   * and GpuError for want of memory.
   * @param parameters as `readParameters` gives them
   */
  static async create(
    device: GqaDevice,
    spec: ModelSpec,
    parameters: Float32Array<ArrayBuffer>,
    options: TrainingModelOptions,
  ): Promise<TrainingModel> {
    planTraining(spec, options, device.facts);
    if (options.teacher) checkTeacher(device, spec, options, options.teacher);
    const memory = await allocateTraining(device, spec, options);
    const { count } = memory.layout;
    const binder = new Binder(device);
    try {
      if (parameters.length !== count) {
        throw new ShapeError(`train: expected ${count} parameters, got ${parameters.length}`);
      }
      writeData(device, wholeRange(memory.buffers.parameters), parameters);
      const bound = await bindAll(binder, spec, memory, options);
      return new TrainingModel(device, spec, options, memory, bound);
    } catch (error) {
      binder.destroy();
      memory.destroy();
      throw error;
    }
  }

  /** The buffers of parameters and their gradients, [layout.count] each. */
  get parameters(): GPUBuffer {
    return this.#allocated.buffers.parameters;
  }

  get gradients(): GPUBuffer {
    return this.#allocated.buffers.gradients;
  }

  /** Losses of a pass, f32 [M]. */
  get losses(): GPUBuffer {
    return this.#allocated.rows.head.losses.buffer;
  }

  /** Writes the tokens of the passes that are submitted from now on. */
  place({ tokens, targets }: Batch): void {
    this.assertUsable();
    const { rows } = this.#allocated;
    const { batch, context } = this.sizes;
    for (const list of [tokens, targets]) {
      if (list.length !== batch * context)
        throw new ShapeError(`train: expected ${batch} x ${context} tokens, got ${list.length}`);
    }
    writeData(this.device, rows.tokens, tokens);
    writeData(this.device, rows.head.targets, targets);
    const { back } = this.#bound;
    back?.tokens.place(tokens);
    back?.positions?.place(tokens.map((_, row) => row % context));
    this.#teacher?.place({ tokens, targets });
  }

  /** Records losses and gradients of the tokens that were placed. */
  recordGradients(encoder: GPUCommandEncoder): void {
    const { back, head, attention } = this.#bound;
    if (!back) throw new ShapeError('train: expected a model that learns');
    this.assertUsable();
    this.#teacher?.assertUsable();
    const { embedding, positions, head: table } = this.layout;
    for (const block of [table === embedding ? undefined : embedding, positions]) {
      if (!block) continue;
      const { buffer, offset, size } = rangeOfBlock(this.gradients, block);
      encoder.clearBuffer(buffer, offset, size);
    }
    const pass = encoder.beginComputePass({ label: 'train' });
    this.#teacher?.recordHidden(pass);
    attention.begin();
    this.#bound.forward(pass);
    head.back(pass);
    back.layers(pass);
    back.tokens.record(pass);
    back.positions?.record(pass);
    pass.end();
  }

  /** The negative log-likelihood of each target in nats, [B, T]. */
  async evaluate(batch: Batch): Promise<number[]> {
    this.assertUsable();
    this.place(batch);
    await submitted(this.device, 'evaluate', (encoder) => {
      const pass = encoder.beginComputePass({ label: 'evaluate' });
      this.recordHidden(pass);
      this.#bound.head.losses(pass);
      pass.end();
    });
    const bytes = await copyOut(this.device, 'losses', wholeRange(this.losses));
    return [...new Float32Array(bytes)];
  }

  /** The parameters on the host. */
  async readParameters(): Promise<Float32Array<ArrayBuffer>> {
    return new Float32Array(await copyOut(this.device, 'parameters', wholeRange(this.parameters)));
  }

  /** Records a forward pass up to the final norm. */
  recordHidden(pass: GPUComputePassEncoder): void {
    this.#bound.attention.begin();
    this.#bound.forward(pass);
  }

  /** What another model learns from this one. */
  asTeacher(): Teacher {
    return {
      logits: this.#allocated.rows.head.logits,
      recordLogits: (pass, part) => this.#bound.head.logits[part]!(pass),
    };
  }

  assertUsable(): void {
    if (this.#destroyed) throw new DestroyedError('the model in training');
    this.device.assertUsable();
  }

  /** Frees its memory. Idempotent; a teacher stays. */
  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#bound.attention.destroy();
    this.#bound.binder.destroy();
    this.#allocated.destroy();
  }
}

function checkTeacher(
  device: GqaDevice,
  { vocabSize }: ModelSpec,
  { batch, context }: TrainingSizes,
  teacher: TrainingModel,
): void {
  const { sizes, spec } = teacher;
  if (teacher.device !== device) throw new ForeignDeviceError('train: expected a teacher on this device');
  if (spec.vocabSize !== vocabSize)
    throw new ShapeError(`train: expected a teacher of ${vocabSize} tokens, got one of ${spec.vocabSize}`);
  if (sizes.batch !== batch || sizes.context !== context) {
    throw new ShapeError(
      `train: expected a teacher of ${batch} x ${context} tokens a pass, got one of ${sizes.batch} x ${sizes.context}`,
    );
  }
}

async function bindAll(
  binder: Binder,
  spec: ModelSpec,
  memory: Allocated,
  { batch, context, teacher }: TrainingModelOptions,
): Promise<Bound> {
  const { layout, buffers, rows, back } = memory;
  const sizes = { batch, context };
  const width = spec.hiddenSize;
  const attention = await TrainingAttention.create(binder, spec, sizes, rows.layers);
  try {
    const embeddingParts = { binder, buffers, layout, sizes, width };
    const layerParts = (layer: number): LayerParts => ({
      binder,
      buffers,
      attention,
      spec: spec.layers[layer]!,
      blocks: layout.layers[layer]!,
      layer,
      rows: batch * context,
      width,
    });
    const forward = [await bindEmbedding(embeddingParts, rows.tokens, rows.layers[0]!.x)];
    for (const [layer, kept] of rows.layers.entries()) forward.push(await bindLayer(layerParts(layer), kept));
    const { finalNorm, vocabSize } = spec;
    const head = await bindHead(
      { binder, buffers, layout, finalNorm, vocabSize, rows: batch * context, width },
      rows.head,
      back?.gradients,
      teacher?.asTeacher(),
    );
    forward.push(head.norm);
    return {
      binder,
      attention,
      forward: inTurn(forward),
      head,
      back: back && (await bindBack(embeddingParts, layerParts, memory)),
    };
  } catch (error) {
    attention.destroy();
    throw error;
  }
}

async function bindBack(
  parts: EmbeddingParts,
  layerParts: (layer: number) => LayerParts,
  { layout, rows, back }: Allocated,
): Promise<Back> {
  const { gradients, tokens, positions } = back!;
  const layers: Recorded[] = [];
  for (const [layer, kept] of rows.layers.entries())
    layers.unshift(await bindLayerBack(layerParts(layer), kept, gradients));
  return {
    layers: inTurn(layers),
    tokens: await EmbeddingBack.create(parts, layout.embedding, tokens, gradients.dX),
    positions:
      layout.positions &&
      positions &&
      (await EmbeddingBack.create(parts, layout.positions, positions, gradients.dX)),
  };
}

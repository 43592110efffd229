// allocation.ts: all buffers of a training model, counted before they are made, and made.
import { allocated, type BufferRange } from '../device/buffers.ts';
import { checkBufferBytes, type DeviceFacts } from '../device/deviceFacts.ts';
import type { GqaDevice } from '../device/gqaDevice.ts';
import { cacheLayout } from '../cache/layout.ts';
import type { ModelSpec } from '../models/decoder/spec.ts';
import { createBackRows, createRows, type BackRows, type Create, type Rows } from './activations.ts';
import { trainingCache, type BatchSizes } from './attention.ts';
import { wholeRange } from './binder.ts';
import { blocksOf, layOut, type ParameterLayout } from './parameters.ts';
import { partElements, type ParameterBuffers } from './products.ts';
import { checkTrainable } from './trainable.ts';

/** A model of these sizes; one that learns has gradients, and AdamW's two moments of them. */
export interface TrainingSizes extends BatchSizes {
  readonly learns: boolean;
}

/** Bytes on the device. */
export interface TrainingMemory {
  /** Parameters alone, 4 bytes each. */
  readonly parameters: number;
  /** Gradients and the optimiser's moments of them. */
  readonly optimiser: number;
  /** Rows that passes keep, K and V among them. */
  readonly activations: number;
  readonly total: number;
}

/** Buffers of a model. */
export interface Allocated {
  readonly layout: ParameterLayout;
  readonly buffers: ParameterBuffers;
  readonly rows: Rows;
  /** Undefined for a model that does not learn. */
  readonly back: BackRows | undefined;
  destroy(): void;
}

/** Plans a model's memory. Throws ShapeError for one that cannot be trained, LimitExceededError for the first buffer that the device cannot have. */
export function planTraining(spec: ModelSpec, sizes: TrainingSizes, facts: DeviceFacts): TrainingMemory {
  checkTrainable(spec);
  const layout = layOut(spec);
  const optimiser = sizes.learns ? 3 * layout.count * 4 : 0;
  const { perLayer, totalBytes } = cacheLayout(trainingCache(spec, sizes));
  // The backward pass binds K and V of a layer whole.
  for (const { kBytes, vBytes } of perLayer)
    checkBufferBytes(facts, 'train: K or V of one layer', Math.max(kBytes, vBytes));
  let activations = totalBytes;
  const count = (label: string, elements: number): BufferRange => {
    checkBufferBytes(facts, `train: ${label}`, elements * 4);
    activations += elements * 4;
    // Planning makes none.
    return { buffer: undefined as unknown as GPUBuffer, offset: 0, size: elements * 4 };
  };
  checkBufferBytes(facts, 'train: parameters', layout.count * 4);
  createAll(spec, layout, sizes, facts, count);
  const parameters = layout.count * 4;
  return { parameters, optimiser, activations, total: parameters + optimiser + activations };
}

/** Makes the buffers of a model that `planTraining` has found to fit. Throws GpuError when the memory cannot be had. */
export function allocateTraining(
  device: GqaDevice,
  spec: ModelSpec,
  sizes: TrainingSizes,
): Promise<Allocated> {
  const layout = layOut(spec);
  return allocated(device, 'a model in training', (create) => {
    const all: GPUBuffer[] = [];
    const make: Create = (label, elements) => {
      const buffer = create(label, elements * 4);
      all.push(buffer);
      return wholeRange(buffer);
    };
    const parameters = make('parameters', layout.count).buffer;
    const gradients = sizes.learns ? make('gradients', layout.count).buffer : undefined;
    const { parts, rows, back } = createAll(spec, layout, sizes, device.facts, make);
    return {
      layout,
      buffers: { parameters, gradients: gradients ?? parameters, parts },
      rows,
      back,
      destroy: () => all.forEach((buffer) => buffer.destroy()),
    };
  });
}

function createAll(
  spec: ModelSpec,
  layout: ParameterLayout,
  sizes: TrainingSizes,
  facts: DeviceFacts,
  create: Create,
): Pick<Allocated, 'rows' | 'back'> & Pick<ParameterBuffers, 'parts'> {
  const tokens = sizes.batch * sizes.context;
  const parts = sizes.learns
    ? Math.max(...blocksOf(layout).map((block) => partElements(tokens, block, facts)))
    : 0;
  return {
    parts: create('sums of parts', Math.max(parts, 1)),
    rows: createRows(spec, layout, sizes, !sizes.learns, create),
    back: sizes.learns ? createBackRows(spec, layout, sizes, create) : undefined,
  };
}

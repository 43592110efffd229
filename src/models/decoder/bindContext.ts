// bindContext.ts: a context's caches and buffers allocated, and a model's kernels bound to them.
import { allocated, type BufferRange } from '../../device/buffers.ts';
import type { GqaDevice } from '../../device/gqaDevice.ts';
import { bindKernel, type BoundKernel } from '../../device/record.ts';
import { StepRing } from '../../device/ring.ts';
import { modelStepWords } from '../../kernels/model/modelStep.ts';
import { gatherRows } from '../../kernels/model/rows.ts';
import { rowInvocations, sample, tokenLoss } from '../../kernels/model/tokens.ts';
import { productVariants } from '../../kernels/model/variants.ts';
import { createActivations, type Activations, type PassSizes } from './activations.ts';
import { AttentionStack } from './attentionStack.ts';
import type { CheckedContext } from './contextArgs.ts';
import { BoundEncoder } from './encoder.ts';
import type { LoadedWeights } from './loadedWeights.ts';
import type { BoundProduct } from './matrix.ts';
import { bindHead, Passes, type PassParts } from './passes.ts';
import { passSizes } from './passSizes.ts';
import type { ModelSpec } from './spec.ts';

/** Steps whose tokens are read together at most. */
export const MOST_SLOTS = 16;

/** What a context needs of its model. */
export interface ContextModel {
  readonly device: GqaDevice;
  readonly spec: ModelSpec;
  readonly weights: LoadedWeights;
  assertUsable(): void;
}

/** All that a context records with. */
export interface BoundContext {
  readonly activations: Activations;
  readonly attention: AttentionStack;
  readonly step: StepRing;
  readonly encoder: BoundEncoder | undefined;
  /** Passes of a token for each sequence, and of chunks. */
  readonly one: Passes;
  readonly chunk: Passes;
  /** The head behind each. */
  readonly headOfX: BoundProduct;
  readonly headOfLast: BoundProduct;
  readonly gather: BoundKernel;
  readonly greedy: BoundKernel;
  readonly draw: BoundKernel;
  readonly loss: BoundKernel;
  readonly results: BufferRange;
  readonly buffers: readonly GPUBuffer[];
}

/** Numbers of rows that a pass places at most. */
export function mostNumbers({ rows, logitRows, sourceRows }: PassSizes): number {
  return Math.max(rows, 2 * logitRows, sourceRows);
}

/** Allocates and binds. All that was made is destroyed when something fails. */
export async function bindContext(model: ContextModel, options: CheckedContext): Promise<BoundContext> {
  const { device, spec } = model;
  const { chunk: _, sourceCapacity, ...caches } = options;
  const { batch } = caches;
  const sizes = passSizes(spec, options, device.facts);
  const buffers: GPUBuffer[] = [];
  const keep = (buffer: GPUBuffer) => buffers.push(buffer);
  const owned: { destroy(): void }[] = [];
  try {
    const made = await allocated(device, 'activations of a model', (create) => {
      const kept = (label: string, bytes: number) => {
        const buffer = create(label, bytes);
        keep(buffer);
        return buffer;
      };
      const results = kept('results', MOST_SLOTS * batch * 4);
      return { activations: createActivations(spec, sizes, kept), results, destroy: () => undefined };
    });
    const { activations } = made;
    const results = { buffer: made.results, offset: 0, size: made.results.size };
    const attention = await AttentionStack.create(
      device,
      spec,
      model.weights.layers,
      activations,
      caches,
      sourceCapacity,
    );
    owned.push(attention);
    const step = new StepRing(device, 'model step', modelStepWords(mostNumbers(sizes)));
    owned.push(step);
    const parts: PassParts = { device, spec, weights: model.weights, activations, step, keep };
    const variants = productVariants(device.facts, batch);
    const encoder =
      spec.encoder &&
      (await BoundEncoder.create(
        parts,
        spec.encoder,
        attention.cross!,
        { batch, sourceCapacity },
        variants.chunk,
      ));
    if (encoder) owned.push(encoder);
    const logits = { vocab: spec.vocabSize, stride: activations.strides.logits };
    const invocations = rowInvocations(device.facts);
    const get = device.pipelines.get.bind(device.pipelines);
    const [one, chunks, headOfX, headOfLast, gather, greedy, draw, loss] = await Promise.all([
      Passes.create(parts, 'one', activations.ids, variants.one),
      Passes.create(parts, 'chunk', activations.promptIds, variants.chunk),
      bindHead(parts, activations.x, variants.one),
      bindHead(parts, activations.last, variants.chunk),
      get(gatherRows(activations.strides.x)),
      get(sample(logits, batch, true, invocations)),
      get(sample(logits, batch, false, invocations)),
      get(tokenLoss(logits, invocations)),
    ]);
    const bind = bindKernel.bind(undefined, device.gpu);
    const { x, last, ids, targets, losses } = activations;
    const choose = { logits: activations.logits, step, ids, results };
    return {
      activations,
      attention,
      step,
      encoder,
      one,
      chunk: chunks,
      headOfX,
      headOfLast,
      gather: bind(gather, { x, step, y: last }),
      greedy: bind(greedy, choose),
      draw: bind(draw, choose),
      loss: bind(loss, { logits: activations.logits, targets, losses }),
      results,
      buffers,
    };
  } catch (error) {
    for (const each of owned) each.destroy();
    for (const buffer of buffers) buffer.destroy();
    throw error;
  }
}

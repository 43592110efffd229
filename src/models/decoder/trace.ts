// trace.ts: a pass recorded part by part, and the hidden states behind each read: for checks of a model. Nothing else records or allocates it.
import { copyOut, writeData, type BufferRange } from '../../device/buffers.ts';
import type { GqaDevice } from '../../device/gqaDevice.ts';
import type { StepKind } from './attentionSteps.ts';
import type { BoundContext } from './bindContext.ts';
import type { PassRows } from './chunks.ts';

/** What is told of a trace, token by token. */
export interface TraceSeen {
  /** A hidden state, [hidden]: behind the embedding, part 0, and behind each layer, from part 1 on. */
  readonly hidden: (part: number, row: Float32Array) => void;
  /** [vocab] */
  readonly logits: (row: Float32Array) => void;
}

/** Records into a pass of its own and submits. */
export type Submit = (record: (pass: GPUComputePassEncoder) => void) => Promise<void>;

/** Runs a pass over the rows of one sequence; `width`: elements of a hidden state; `offset`: where the pass's numbers are. */
export async function tracePass(
  device: GqaDevice,
  { activations, attention, one, chunk }: BoundContext,
  width: number,
  kind: StepKind,
  { ids, counts, positions, rows }: PassRows,
  offset: number,
  submit: Submit,
  hidden: TraceSeen['hidden'],
): Promise<void> {
  const passes = kind === 'one' ? one : chunk;
  const { x, strides } = activations;
  writeData(device, kind === 'one' ? activations.ids : activations.promptIds, Uint32Array.from(ids));
  const plans = attention.plan(kind, [positions.at(-1)! + 1], counts);
  const args = { attention, plans, counts, rows, stepOffset: offset };
  for (let part = 0; part <= passes.layers; part++) {
    await submit((pass) => {
      if (part === 0) passes.recordEmbedding(pass, args);
      else passes.recordLayer(pass, part - 1, args);
    });
    for (const row of await readRows(device, x, strides.x, rows, width)) hidden(part, row);
  }
}

/** The first rows of a buffer: the first `width` of so many elements from one to the next. */
export async function readRows(
  device: GqaDevice,
  range: BufferRange,
  stride: number,
  rows: number,
  width: number,
): Promise<Float32Array[]> {
  const bytes = await copyOut(device, 'rows of a model', { ...range, size: rows * stride * 4 });
  return Array.from({ length: rows }, (_, row) => new Float32Array(bytes, row * stride * 4, width));
}

// trace.ts: a pass recorded part by part, and the hidden states behind each read: for checks of a model. Nothing else records or allocates it.
import type { KvCache } from '../../cache/kvCache.ts';
import { copyOut, writeData, type BufferRange } from '../../device/buffers.ts';
import type { GqaDevice } from '../../device/gqaDevice.ts';
import type { Activations } from './activations.ts';
import type { StepKind } from './attentionSteps.ts';
import type { BoundContext } from './bindContext.ts';
import type { PassRows } from './chunks.ts';
import type { PassArgs, Passes } from './passes.ts';

/** What is told of a trace, token by token. */
export interface TraceSeen {
  /** A hidden state, [hidden]: behind the embedding, part 0, and behind each layer, from part 1 on. */
  readonly hidden: (part: number, row: Float32Array) => void;
  /** [vocab] */
  readonly logits: (row: Float32Array) => void;
}

/** What is told of a source's trace. */
export interface SourceSeen extends Pick<TraceSeen, 'hidden'> {
  /** A layer of the encoder is done: its K and V are in the only layer of `cache` until this is. */
  readonly kv: (layer: number, cache: KvCache) => Promise<void>;
}

/** Records into a pass of its own and submits. */
export type Submit = (record: (pass: GPUComputePassEncoder) => void) => Promise<void>;

/** A pass to be traced: the tokens of its rows are where it reads them. */
export interface TracedPass {
  readonly passes: Passes;
  readonly args: PassArgs;
  readonly activations: Activations;
  /** Elements of a hidden state. */
  readonly width: number;
  readonly submit: Submit;
}

/** Runs a pass part by part: the embedding, part 0, then layer by layer; tells of the hidden states behind each and waits for `told`. */
export async function traceParts(
  device: GqaDevice,
  { passes, args, activations: { x, strides }, width, submit }: TracedPass,
  told: (part: number, rows: readonly Float32Array[]) => void | Promise<void>,
): Promise<void> {
  for (let part = 0; part <= passes.layers; part++) {
    await submit((pass) => {
      if (part === 0) passes.recordEmbedding(pass, args);
      else passes.recordLayer(pass, part - 1, args);
    });
    await told(part, await readRows(device, x, strides.x, args.rows, width));
  }
}

/** Runs a decoder's pass over the rows of one sequence; `width`: elements of a hidden state; `offset`: where the pass's numbers are. */
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
  writeData(device, kind === 'one' ? activations.ids : activations.promptIds, Uint32Array.from(ids));
  const plans = attention.plan(kind, [positions.at(-1)! + 1], counts);
  const args = { attention, plans, counts, rows, stepOffset: offset };
  await traceParts(device, { passes, args, activations, width, submit }, (part, states) => {
    for (const row of states) hidden(part, row);
  });
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

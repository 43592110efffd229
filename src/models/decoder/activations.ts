// activations.ts: the buffers that a model's layers hand their rows through.
import type { BufferRange, CreateBuffer } from '../../device/buffers.ts';
import { MAX_TILE, paddedWidth } from '../../kernels/model/weightsLib.ts';
import { paddedHeadDim } from './headDims.ts';
import type { ModelSpec } from './spec.ts';

/** Rows of a buffer are as many as a product's workgroup may read. */
const ROW_MULTIPLE = 8;

/** Sizes of the passes through a model. */
export interface PassSizes {
  /** Tokens of a pass at most. */
  readonly rows: number;
  /** Rows of logits at most. */
  readonly logitRows: number;
}

/** Elements from a row to the next, in each of the buffers. */
export interface Strides {
  readonly x: number;
  readonly kv: number;
  readonly o: number;
  readonly hidden: number;
  readonly logits: number;
}

/** Buffers of rows. All are zeros at first, and what is behind a row's own elements stays so. */
export interface Activations extends PassSizes {
  readonly strides: Strides;
  /** u32, of prompts, and of the tokens that were chosen last. */
  readonly promptIds: BufferRange;
  readonly ids: BufferRange;
  /** Hidden states, what a layer with a norm behind its products adds, and the rows whose logits are wanted. */
  readonly x: BufferRange;
  readonly added: BufferRange;
  readonly last: BufferRange;
  readonly q: BufferRange;
  readonly kv: BufferRange;
  readonly o: BufferRange;
  readonly hidden: BufferRange;
  readonly logits: BufferRange;
  /** u32 wanted tokens, and their losses. */
  readonly targets: BufferRange;
  readonly losses: BufferRange;
}

/** Elements of a row in each buffer: the most of all layers. */
export function stridesOf({ hiddenSize, vocabSize, layers }: ModelSpec): Strides {
  const most = (of: (layer: ModelSpec['layers'][number]) => number) =>
    layers.reduce((size, layer) => Math.max(size, of(layer)), 0);
  const head = ({ attention }: ModelSpec['layers'][number]) => paddedHeadDim(attention.headDim);
  return {
    x: paddedWidth(hiddenSize),
    kv: most((layer) => {
      // Behind k and v there is room for the rest of the last tile, which begins with queries or keys.
      const { numQHeads, numKvHeads } = layer.attention;
      const all = (numQHeads + 2 * numKvHeads) * head(layer);
      return Math.ceil(all / MAX_TILE) * MAX_TILE - numQHeads * head(layer);
    }),
    o: most((layer) => paddedWidth(layer.attention.numQHeads * head(layer))),
    hidden: most(({ mlp }) => paddedWidth(mlp.up.outputs)),
    logits: Math.ceil(vocabSize / MAX_TILE) * MAX_TILE,
  };
}

/** Bytes of each buffer. */
export function activationBytes(
  spec: ModelSpec,
  { rows, logitRows }: PassSizes,
): Record<Exclude<keyof Activations, 'strides' | keyof PassSizes>, number> {
  const strides = stridesOf(spec);
  const q = spec.layers.reduce(
    (size, { attention }) => Math.max(size, attention.numQHeads * paddedHeadDim(attention.headDim)),
    0,
  );
  const of = (count: number, stride: number) => Math.ceil(count / ROW_MULTIPLE) * ROW_MULTIPLE * stride * 4;
  return {
    promptIds: of(rows, 1),
    ids: of(rows, 1),
    x: of(rows, strides.x),
    added: of(rows, strides.x),
    last: of(logitRows, strides.x),
    q: of(rows, q),
    kv: of(rows, strides.kv),
    o: of(rows, strides.o),
    hidden: of(rows, strides.hidden),
    logits: of(logitRows, strides.logits),
    targets: of(logitRows, 1),
    losses: of(logitRows, 1),
  };
}

/** Allocates them. */
export function createActivations(spec: ModelSpec, sizes: PassSizes, create: CreateBuffer): Activations {
  const bytes = activationBytes(spec, sizes);
  const ranges = Object.fromEntries(
    Object.entries(bytes).map(([name, size]) => [name, { buffer: create(name, size), offset: 0, size }]),
  ) as Record<keyof typeof bytes, BufferRange>;
  return { ...sizes, strides: stridesOf(spec), ...ranges };
}

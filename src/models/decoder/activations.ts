// activations.ts: the buffers that a model's layers hand their rows through.
import type { BufferRange, CreateBuffer } from '../../device/buffers.ts';
import { MAX_TILE, paddedWidth } from '../../kernels/model/weightsLib.ts';
import { crossLayers, crossQueryStride } from './crossLayers.ts';
import { paddedHeadDim } from './headDims.ts';
import type { AttentionSpec, LayerSpec, ModelSpec } from './spec.ts';

/** Rows of a buffer are as many as a product's workgroup may read. */
const ROW_MULTIPLE = 8;

/** Sizes of the passes through a model. */
export interface PassSizes {
  /** Tokens of a pass at most. */
  readonly rows: number;
  /** Rows of logits at most. */
  readonly logitRows: number;
  /** Tokens of a pass through the encoder at most; 0 without one. */
  readonly sourceRows: number;
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
export function stridesOf(spec: ModelSpec): Strides {
  const { hiddenSize, vocabSize } = spec;
  const attention = attentionOf(spec);
  const wide = ({ headDim }: AttentionSpec) => paddedHeadDim(headDim);
  return {
    x: paddedWidth(hiddenSize),
    kv: Math.max(
      ...attention.map((each) => {
        // Behind k and v there is room for the rest of the last tile, which begins with queries or keys.
        const all = (each.numQHeads + 2 * each.numKvHeads) * wide(each);
        return Math.ceil(all / MAX_TILE) * MAX_TILE - each.numQHeads * wide(each);
      }),
      ...crossLayers(spec).map((each) => paddedWidth(2 * each.attention.numKvHeads * wide(each.attention))),
    ),
    o: Math.max(...attention.map((each) => paddedWidth(each.numQHeads * wide(each)))),
    hidden: Math.max(...layersOf(spec).map(({ mlp }) => paddedWidth(mlp.up.outputs))),
    logits: Math.ceil(vocabSize / MAX_TILE) * MAX_TILE,
  };
}

/** Layers of the encoder and of the decoder. */
export function layersOf({ encoder, layers }: ModelSpec): readonly LayerSpec[] {
  return encoder ? [...encoder.layers, ...layers] : layers;
}

function attentionOf(spec: ModelSpec): AttentionSpec[] {
  return [...layersOf(spec), ...crossLayers(spec)].map(({ attention }) => attention);
}

/** Bytes of each buffer. Encoder and decoder take turns with them. */
export function activationBytes(
  spec: ModelSpec,
  { rows: decoderRows, logitRows, sourceRows }: PassSizes,
): Record<Exclude<keyof Activations, 'strides' | keyof PassSizes>, number> {
  const strides = stridesOf(spec);
  const rows = Math.max(decoderRows, sourceRows);
  const q = Math.max(
    ...layersOf(spec).map(({ attention }) => attention.numQHeads * paddedHeadDim(attention.headDim)),
    ...crossLayers(spec).map(({ attention }) => crossQueryStride(attention)),
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

/** Where a product leaves new rows of K and V for an append: position by position, the heads of V behind those of K. */
export function kvRows({ numKvHeads, headDim }: AttentionSpec, { kv, strides }: Activations) {
  const head = paddedHeadDim(headDim);
  const layout = { head, position: strides.kv };
  return { k: kv, v: kv, kRows: { layout }, vRows: { layout, offset: numKvHeads * head } };
}

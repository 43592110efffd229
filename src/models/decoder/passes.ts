// passes.ts: a model's kernels bound for passes of so many rows, and a pass recorded: from token ids to hidden states.
import { createUniform, type BufferRange } from '../../device/buffers.ts';
import type { GqaDevice } from '../../device/gqaDevice.ts';
import { bindKernel, dispatch, type BoundKernel } from '../../device/record.ts';
import type { StepRing } from '../../device/ring.ts';
import type { ProductForm } from '../../kernels/model/product.ts';
import { embed, embedGrid, embedNumbers, norm, normNumbers } from '../../kernels/model/rows.ts';
import type { PassVariant } from '../../kernels/model/variants.ts';
import type { Activations } from './activations.ts';
import type { Plans } from './attentionStack.ts';
import type { StepKind } from './attentionSteps.ts';
import { crossQueryStride } from './crossLayers.ts';
import { paddedHeadDim } from './headDims.ts';
import type { LoadedNorm, LoadedProduct, LoadedWeights } from './loadedWeights.ts';
import { bindProduct, type BoundProduct } from './matrix.ts';
import type { CrossSpec, LayerSpec, ModelSpec } from './spec.ts';
import { WHOLE_STEP, type StepPart } from './stepParts.ts';

/** What passes are bound with. */
export interface PassParts {
  readonly device: GqaDevice;
  readonly spec: ModelSpec;
  readonly weights: LoadedWeights;
  readonly activations: Activations;
  readonly step: StepRing;
  readonly keep: (buffer: GPUBuffer) => void;
}

/** Something that is recorded for so many rows. */
interface Recorded {
  record(pass: GPUComputePassEncoder, rows: number, stepOffset: number): void;
}

/** Attention of layers, as passes record it: a decoder's, or an encoder's, which has no cross-attention. */
export interface LayerAttention {
  record(
    pass: GPUComputePassEncoder,
    layer: number,
    kind: StepKind,
    plans: Plans,
    counts: readonly number[],
  ): void;
  recordCross?(pass: GPUComputePassEncoder, layer: number, kind: StepKind, plans: Plans): void;
}

interface BoundLayer {
  readonly qkv: readonly Recorded[];
  readonly o: readonly Recorded[];
  /** In front of cross-attention and behind; undefined without it. */
  readonly cross: { readonly q: readonly Recorded[]; readonly o: readonly Recorded[] } | undefined;
  readonly up: readonly Recorded[];
  readonly down: readonly Recorded[];
  /** Whether `up` takes what `o` has not been added to yet. */
  readonly parallel: boolean;
}

/** What a pass is recorded with: attention and its plans, new tokens of each sequence, [B], and where its numbers are. */
export interface PassArgs {
  readonly attention: LayerAttention;
  readonly plans: Plans;
  readonly counts: readonly number[];
  /** Of all sequences together. */
  readonly rows: number;
  readonly stepOffset: number;
}

/** A model's layers bound for passes. */
export class Passes {
  readonly #embed: readonly Recorded[];
  readonly #layers: readonly BoundLayer[];
  readonly #kind: StepKind;

  private constructor(embedding: readonly Recorded[], layers: readonly BoundLayer[], kind: StepKind) {
    this.#embed = embedding;
    this.#layers = layers;
    this.#kind = kind;
  }

  /** Compiles and binds; `ids`: where the tokens of its passes are. */
  static async create(
    parts: PassParts,
    kind: StepKind,
    ids: BufferRange,
    variant: PassVariant,
  ): Promise<Passes> {
    const { spec } = parts;
    const [embedding, layers] = await Promise.all([
      bindEmbedding(parts, ids),
      Promise.all(spec.layers.map((_, layer) => bindLayer(parts, layer, variant))),
    ]);
    return new Passes(embedding, layers, kind);
  }

  /** Records a pass, hidden states in `activations.x` at its end, or no more than some parts of it. */
  record(pass: GPUComputePassEncoder, args: PassArgs, parts: ReadonlySet<StepPart> = WHOLE_STEP): void {
    if (parts.has('embedding')) this.recordEmbedding(pass, args);
    for (let layer = 0; layer < this.layers; layer++) this.recordLayer(pass, layer, args, parts);
  }

  get layers(): number {
    return this.#layers.length;
  }

  /** Records the first part of a pass. */
  recordEmbedding(pass: GPUComputePassEncoder, args: PassArgs): void {
    recordAll(pass, this.#embed, args);
  }

  /** Records a layer of a pass, or some parts of it; layers follow each other. */
  recordLayer(
    pass: GPUComputePassEncoder,
    layer: number,
    args: PassArgs,
    parts: ReadonlySet<StepPart> = WHOLE_STEP,
  ): void {
    const { attention, plans, counts } = args;
    const { qkv, o, cross, up, down, parallel } = this.#layers[layer]!;
    const isProjected = parts.has('projections');
    const isAttended = parts.has('attention');
    const hasMlp = parts.has('mlp');
    if (isProjected) recordAll(pass, qkv, args);
    if (hasMlp && parallel) recordAll(pass, up, args);
    if (isAttended) attention.record(pass, layer, this.#kind, plans, counts);
    if (isProjected) recordAll(pass, o, args);
    if (cross) {
      if (isProjected) recordAll(pass, cross.q, args);
      if (isAttended) attention.recordCross!(pass, layer, this.#kind, plans);
      if (isProjected) recordAll(pass, cross.o, args);
    }
    if (!hasMlp) return;
    if (!parallel) recordAll(pass, up, args);
    recordAll(pass, down, args);
  }
}

function recordAll(
  pass: GPUComputePassEncoder,
  list: readonly Recorded[],
  { rows, stepOffset }: PassArgs,
): void {
  for (const each of list) each.record(pass, rows, stepOffset);
}

async function bindEmbedding(parts: PassParts, ids: BufferRange): Promise<Recorded[]> {
  const { device, weights, spec, activations, step } = parts;
  const { embedding, positions, embeddingNorm } = weights;
  const kernel = await device.pipelines.get(embed(embedding.sizes, positions !== undefined));
  const bound = embedding.parts.map(({ first, tiles, weights: rows, scales }) => {
    const { tile } = embedding.sizes;
    const count = Math.min(tiles * tile, spec.vocabSize - first * tile);
    const numbers = uniformOf(parts, embedNumbers(first * tile, count, spec.embedding.scale));
    return bindKernel(device.gpu, kernel, {
      ids,
      weights: rows,
      ...(scales && { scales }),
      step,
      // A norm may not write what it reads.
      x: embeddingNorm ? activations.added : activations.x,
      numbers,
      ...(positions && { position_rows: positions }),
    });
  });
  const embeds: Recorded = {
    record: (pass, rows, stepOffset) => {
      for (const each of bound) dispatch(pass, each, embedGrid(embedding.sizes, rows), stepOffset);
    },
  };
  return embeddingNorm ? [embeds, await bindNorm(parts, embeddingNorm, false)] : [embeds];
}

function uniformOf({ device, keep }: PassParts, words: Uint32Array<ArrayBuffer>): BufferRange {
  const buffer = createUniform(device, 'numbers', words);
  keep(buffer);
  return { buffer, offset: 0, size: buffer.size };
}

async function bindLayer(parts: PassParts, layer: number, variant: PassVariant): Promise<BoundLayer> {
  const { spec, weights, activations } = parts;
  const each = spec.layers[layer]!;
  const { qkv, o, up, down, afterAttention, afterMlp } = weights.layers[layer]!;
  const { x, added, q, kv, hidden, strides } = activations;
  const qWidth = each.attention.numQHeads * paddedHeadDim(each.attention.headDim);
  const bind = (product: LoadedProduct, to: ProductPlace) => bindTo(parts, product, variant, to);
  const [ofQkv, ofUp] = await Promise.all([
    bind(qkv, {
      x,
      inputStride: strides.x,
      y: q,
      stride: qWidth,
      others: kv,
      othersStride: strides.kv,
      writes: 'two',
    }),
    bind(up, { x, inputStride: strides.x, y: hidden, stride: strides.hidden, writes: 'set', layer: each }),
  ]);
  const toResidual = async (
    product: LoadedProduct,
    from: BufferRange,
    stride: number,
    after?: LoadedNorm,
  ) => {
    const to = { x: from, inputStride: stride, stride: strides.x };
    if (!after) return [await bind(product, { ...to, y: x, writes: 'added' })];
    return [await bind(product, { ...to, y: added, writes: 'set' }), await bindNorm(parts, after, true)];
  };
  const [ofO, ofDown] = await Promise.all([
    toResidual(o, activations.o, strides.o, afterAttention),
    toResidual(down, hidden, strides.hidden, afterMlp),
  ]);
  const cross = each.cross && (await bindCross(bind, parts, layer, each.cross));
  return { qkv: [ofQkv], o: ofO, cross, up: [ofUp], down: ofDown, parallel: each.parallel };
}

/** The products in front of and behind cross-attention. */
async function bindCross(
  bind: (product: LoadedProduct, to: ProductPlace) => Promise<BoundProduct>,
  { weights, activations }: PassParts,
  layer: number,
  { attention }: CrossSpec,
): Promise<NonNullable<BoundLayer['cross']>> {
  const { x, q, o, strides } = activations;
  const cross = weights.layers[layer]!.cross!;
  const [ofQ, ofO] = await Promise.all([
    bind(cross.q, { x, inputStride: strides.x, y: q, stride: crossQueryStride(attention), writes: 'set' }),
    bind(cross.o, { x: o, inputStride: strides.o, y: x, stride: strides.x, writes: 'added' }),
  ]);
  return { q: [ofQ], o: [ofO] };
}

/** Where a product reads and writes. */
export interface ProductPlace {
  readonly x: BufferRange;
  readonly inputStride: number;
  readonly y: BufferRange;
  readonly stride: number;
  readonly others?: BufferRange;
  readonly othersStride?: number;
  readonly writes: ProductForm['writes'];
  /** The layer whose activation follows. */
  readonly layer?: LayerSpec;
}

/** Binds a product of a layer. */
export function bindTo(
  { device, spec, step, keep }: PassParts,
  { matrix, gains, bias, norm: normed }: LoadedProduct,
  variant: PassVariant,
  { x, y, others, inputStride, stride, othersStride, writes, layer }: ProductPlace,
): Promise<BoundProduct> {
  const form: ProductForm = {
    ...(normed && { norm: normed.kind }),
    bias: bias !== undefined,
    results: layer ? layer.mlp.activation : 'sums',
    writes,
  };
  const rows = { inputStride, stride, ...(othersStride !== undefined && { others: othersStride }) };
  const numbers = { width: spec.hiddenSize, eps: normed?.eps ?? 0, scale: 1, softcap: 0 };
  const buffers = { x, y, step, ...(others && { others }), ...(gains && { gains }), ...(bias && { bias }) };
  return bindProduct(device, matrix, form, variant, rows, numbers, buffers, keep);
}

/** The norm of `activations.added`, which becomes the hidden states or is added to them. */
async function bindNorm(parts: PassParts, { gains, eps }: LoadedNorm, adds: boolean): Promise<Recorded> {
  const { device, spec, activations } = parts;
  const { added, x, strides } = activations;
  const kernel = await device.pipelines.get(norm(strides.x, adds));
  const numbers = uniformOf(parts, normNumbers(spec.hiddenSize, eps));
  const bound: BoundKernel = bindKernel(device.gpu, kernel, { x: added, gains, y: x, numbers });
  return { record: (pass, rows) => dispatch(pass, bound, [rows, 1, 1]) };
}

/** The head, from rows of hidden states to logits. */
export function bindHead(parts: PassParts, from: BufferRange, variant: PassVariant): Promise<BoundProduct> {
  const { device, spec, weights, activations, step, keep } = parts;
  const { matrix, gains, bias, norm: normed } = weights.head;
  const { softcap, scale = 1 } = spec.head;
  const { strides, logits } = activations;
  return bindProduct(
    device,
    matrix,
    {
      ...(normed && { norm: normed.kind }),
      bias: bias !== undefined,
      results: softcap === undefined ? 'sums' : 'capped',
      writes: 'set',
    },
    variant,
    { inputStride: strides.x, stride: strides.logits },
    { width: spec.hiddenSize, eps: normed?.eps ?? 0, scale, softcap: softcap ?? 0 },
    { x: from, y: logits, step, ...(gains && { gains }), ...(bias && { bias }) },
    keep,
  );
}

// layer.ts: a layer of a training model: x + attention(norm(x)), then x + mlp(norm(x)), forward and backward.
import type { BufferRange } from '../device/buffers.ts';
import {
  activate,
  activateBack,
  activateBackGrid,
  activateBackNumbers,
  activateGrid,
  activateNumbers,
} from '../kernels/train/rows.ts';
import type { LayerSpec } from '../models/decoder/spec.ts';
import type { AttentionRows, TrainingAttention } from './attention.ts';
import { inTurn, type Binder, type Recorded } from './binder.ts';
import { bindNorm, bindNormBack } from './norms.ts';
import type { Block, LayerBlocks, ProductBlocks } from './parameters.ts';
import { bindBias, bindForward, bindInputs, bindWeights, type ParameterBuffers } from './products.ts';

/** What a layer computes, kept for its backward pass. Rows of M tokens. */
export interface LayerRows extends AttentionRows {
  /** Its input, what is between its halves, and its output: [M, d]. */
  readonly x: BufferRange;
  readonly between: BufferRange;
  readonly out: BufferRange;
  /** Behind the norms, [M, d], and the norms' numbers. */
  readonly attentionInput: BufferRange;
  readonly attentionStats: BufferRange;
  readonly mlpInput: BufferRange;
  readonly mlpStats: BufferRange;
  /** [M, F] or, with a gate, [M, 2 F]. */
  readonly up: BufferRange;
  /** [M, F] */
  readonly hidden: BufferRange;
}

/** Gradients on their way through the layers: one of each for all of them. */
export interface GradientRows {
  /** Of the residual stream, [M, d]. */
  readonly dX: BufferRange;
  /** Of what is behind a norm, [M, d]. */
  readonly dNormed: BufferRange;
  readonly dHidden: BufferRange;
  readonly dUp: BufferRange;
  readonly dO: BufferRange;
  readonly dQkv: BufferRange;
  readonly delta: BufferRange;
}

/** All that a layer is bound with. */
export interface LayerParts {
  readonly binder: Binder;
  readonly buffers: ParameterBuffers;
  readonly attention: TrainingAttention;
  readonly spec: LayerSpec;
  readonly blocks: LayerBlocks;
  readonly layer: number;
  readonly rows: number;
  readonly width: number;
}

/** Binds the forward pass. */
export async function bindLayer(parts: LayerParts, kept: LayerRows): Promise<Recorded> {
  const { binder, buffers, attention, spec, blocks, layer, rows, width } = parts;
  const forward = (product: ProductBlocks, x: BufferRange, y: BufferRange, residual?: BufferRange) =>
    bindForward(binder, buffers, product, { rows, x, y, ...(residual && { residual }) });
  const { x, between, out, attentionInput, attentionStats, mlpInput, mlpStats, q, kv, o, up, hidden } = kept;
  return inTurn([
    await bindNorm(binder, buffers, spec.attentionNorm, blocks.attentionNorm, {
      rows,
      width,
      x,
      y: attentionInput,
      stats: attentionStats,
    }),
    await forward(blocks.q, attentionInput, q),
    await forward(blocks.kv, attentionInput, kv),
    (pass) => attention.record(pass, layer),
    await forward(blocks.o, o, between, x),
    await bindNorm(binder, buffers, spec.mlpNorm, blocks.mlpNorm, {
      rows,
      width,
      x: between,
      y: mlpInput,
      stats: mlpStats,
    }),
    await forward(blocks.up, mlpInput, up),
    await bindActivation(parts, up, hidden),
    await forward(blocks.down, hidden, out, between),
  ]);
}

/** Binds the backward pass: `dX` is the gradient of the layer's output, and becomes that of its input. */
export async function bindLayerBack(
  parts: LayerParts,
  kept: LayerRows,
  gradients: GradientRows,
): Promise<Recorded> {
  return inTurn([await bindMlpBack(parts, kept, gradients), await bindAttentionBack(parts, kept, gradients)]);
}

async function bindMlpBack(
  parts: LayerParts,
  kept: LayerRows,
  { dX, dNormed, dHidden, dUp }: GradientRows,
): Promise<Recorded> {
  const { binder, buffers, spec, blocks, rows, width } = parts;
  const { between, mlpInput, mlpStats, up, hidden } = kept;
  return inTurn([
    await bindProductBack(parts, blocks.down, { x: hidden, dY: dX, dX: dHidden }),
    await bindActivationBack(parts, up, dHidden, dUp),
    await bindProductBack(parts, blocks.up, { x: mlpInput, dY: dUp, dX: dNormed }),
    await bindNormBack(
      binder,
      buffers,
      spec.mlpNorm,
      blocks.mlpNorm,
      { rows, width, x: between, stats: mlpStats },
      { dY: dNormed, dX, adds: true },
    ),
  ]);
}

async function bindAttentionBack(
  parts: LayerParts,
  kept: LayerRows,
  gradients: GradientRows,
): Promise<Recorded> {
  const { binder, buffers, attention, spec, blocks, layer, rows, width } = parts;
  const { x, attentionInput, attentionStats, o } = kept;
  const { dX, dNormed, dO, dQkv } = gradients;
  return inTurn([
    await bindProductBack(parts, blocks.o, { x: o, dY: dX, dX: dO }),
    await attention.bindBack(binder, layer, kept, gradients),
    await bindWeights(binder, buffers, blocks.qkv, { rows, dY: dQkv, x: attentionInput }),
    ...(await bindQkvBiases(parts, dQkv)),
    await bindInputs(binder, buffers, blocks.qkv, { rows, dY: dQkv, dX: dNormed }),
    await bindNormBack(
      binder,
      buffers,
      spec.attentionNorm,
      blocks.attentionNorm,
      { rows, width, x, stats: attentionStats },
      { dY: dNormed, dX, adds: true },
    ),
  ]);
}

/** The queries' biases and those of keys and values, which lie apart from them. */
function bindQkvBiases(
  { binder, buffers, blocks, rows }: LayerParts,
  dQkv: BufferRange,
): Promise<Recorded[]> {
  const stride = blocks.qkv.rows;
  const all: readonly (readonly [Block | undefined, number])[] = [
    [blocks.q.bias, 0],
    [blocks.kv.bias, blocks.q.weights.rows],
  ];
  return Promise.all(
    all.flatMap(([bias, first]) =>
      bias ? [bindBias(binder, buffers, bias, { rows, dY: dQkv, stride, first })] : [],
    ),
  );
}

/** Gradients of a product's weights, bias and inputs. */
async function bindProductBack(
  { binder, buffers, rows }: LayerParts,
  { weights, bias }: ProductBlocks,
  { x, dY, dX }: { readonly x: BufferRange; readonly dY: BufferRange; readonly dX: BufferRange },
): Promise<Recorded> {
  return inTurn([
    await bindWeights(binder, buffers, weights, { rows, dY, x }),
    ...(bias ? [await bindBias(binder, buffers, bias, { rows, dY, stride: weights.rows })] : []),
    await bindInputs(binder, buffers, weights, { rows, dY, dX }),
  ]);
}

function activationOf({ spec: { mlp } }: LayerParts) {
  return { activation: mlp.activation, gated: mlp.gate !== undefined };
}

function bindActivation(parts: LayerParts, up: BufferRange, y: BufferRange): Promise<Recorded> {
  const sizes = { rows: parts.rows, width: parts.spec.mlp.up.outputs };
  return parts.binder.bind({
    kernel: activate(activationOf(parts)),
    grid: activateGrid(sizes.rows, sizes.width),
    numbers: activateNumbers(sizes),
    buffers: { gate_up: up, y },
  });
}

function bindActivationBack(
  parts: LayerParts,
  up: BufferRange,
  dY: BufferRange,
  dUp: BufferRange,
): Promise<Recorded> {
  const sizes = { rows: parts.rows, width: parts.spec.mlp.up.outputs };
  return parts.binder.bind({
    kernel: activateBack(activationOf(parts)),
    grid: activateBackGrid(sizes.rows, sizes.width),
    numbers: activateBackNumbers(sizes),
    buffers: { gate_up: up, d_y: dY, d_gate_up: dUp },
  });
}

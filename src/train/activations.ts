// activations.ts: the buffers of a training model's rows: what the forward pass keeps of each layer, and gradients on their way back.
import type { BufferRange } from '../device/buffers.ts';
import type { LayerSpec, ModelSpec } from '../models/decoder/spec.ts';
import type { BatchSizes } from './attention.ts';
import type { HeadRows } from './head.ts';
import { logitRowsOf } from './head.ts';
import type { GradientRows, LayerRows } from './layer.ts';
import type { ParameterLayout } from './parameters.ts';
import type { ListBuffers } from './embedding.ts';

/** Elements of each buffer. */
type Counts<T> = Readonly<Record<keyof T, number>>;

/** The rows of a training model. */
export interface Rows {
  /** u32 [M] */
  readonly tokens: BufferRange;
  readonly layers: readonly LayerRows[];
  readonly head: HeadRows;
}

/** What its backward pass has besides. */
export interface BackRows {
  readonly gradients: GradientRows;
  readonly tokens: ListBuffers;
  readonly positions: ListBuffers | undefined;
}

/** Makes a buffer of so many elements of 32 bits. */
export type Create = (label: string, count: number) => BufferRange;

/** Makes the buffers of a forward pass. With `shares` all layers have the same ones: nothing is kept for a backward pass. */
export function createRows(
  spec: ModelSpec,
  layout: ParameterLayout,
  sizes: BatchSizes,
  shares: boolean,
  create: Create,
): Rows {
  const { batch, context } = sizes;
  const rows = batch * context;
  const width = spec.hiddenSize;
  const streams = [create('x', rows * width)];
  const layers: LayerRows[] = [];
  const shared = new Map<string, BufferRange>();
  for (const [layer, each] of spec.layers.entries()) {
    const made = Object.entries(layerCounts(each, sizes, width)).map(([name, count]) => {
      const range = (shares && shared.get(`${name} ${count}`)) || create(`${name} of layer ${layer}`, count);
      shared.set(`${name} ${count}`, range);
      return [name, range] as const;
    });
    // Of the two that a shared layer reads and writes, the next one has them the other way round.
    streams.push(shares && layer > 0 ? streams[layer - 1]! : create(`x behind layer ${layer}`, rows * width));
    layers.push({
      ...fromEntries<keyof ReturnType<typeof layerCounts>>(made),
      x: streams[layer]!,
      out: streams[layer + 1]!,
    });
  }
  const head = createAll(headCounts(layout, rows, width), create);
  return { tokens: create('tokens', rows), layers, head: { ...head, x: streams.at(-1)! } };
}

/** Makes those of a backward pass. */
export function createBackRows(
  spec: ModelSpec,
  layout: ParameterLayout,
  { batch, context }: BatchSizes,
  create: Create,
): BackRows {
  const rows = batch * context;
  const most = (of: (layer: LayerSpec) => number) => Math.max(...spec.layers.map(of));
  const counts: Counts<GradientRows> = {
    dX: rows * spec.hiddenSize,
    dNormed: rows * spec.hiddenSize,
    dHidden: rows * most(({ mlp }) => mlp.up.outputs),
    dUp: rows * most(upWidth),
    dO: rows * most(queryWidth),
    dQkv: rows * most((layer) => queryWidth(layer) + kvWidth(layer)),
    delta: rows * most(({ attention }) => attention.numQHeads),
  };
  const lists = (name: string): ListBuffers => ({
    entries: create(`entries of ${name}`, 3 * rows),
    order: create(`order of ${name}`, rows),
  });
  return {
    gradients: createAll(counts, create),
    tokens: lists('tokens'),
    positions: layout.positions && lists('positions'),
  };
}

function layerCounts(
  layer: LayerSpec,
  { batch, context }: BatchSizes,
  width: number,
): Counts<Omit<LayerRows, 'x' | 'out'>> {
  const rows = batch * context;
  return {
    between: rows * width,
    attentionInput: rows * width,
    attentionStats: rows * 2,
    mlpInput: rows * width,
    mlpStats: rows * 2,
    q: rows * queryWidth(layer),
    kv: rows * kvWidth(layer),
    o: rows * queryWidth(layer),
    lse: rows * layer.attention.numQHeads,
    up: rows * upWidth(layer),
    hidden: rows * layer.mlp.up.outputs,
  };
}

function headCounts({ head }: ParameterLayout, rows: number, width: number): Counts<Omit<HeadRows, 'x'>> {
  return {
    normed: rows * width,
    stats: rows * 2,
    logits: logitRowsOf(rows, head.rows) * head.rows,
    targets: rows,
    losses: rows,
  };
}

function queryWidth({ attention }: LayerSpec): number {
  return attention.numQHeads * attention.headDim;
}

function kvWidth({ attention }: LayerSpec): number {
  return 2 * attention.numKvHeads * attention.headDim;
}

function upWidth({ mlp }: LayerSpec): number {
  return mlp.up.outputs * (mlp.gate ? 2 : 1);
}

function createAll<Name extends string>(
  counts: Readonly<Record<Name, number>>,
  create: Create,
): Record<Name, BufferRange> {
  return fromEntries(
    (Object.entries(counts) as [Name, number][]).map(([name, count]) => [name, create(name, count)] as const),
  );
}

function fromEntries<Name extends string>(
  entries: readonly (readonly [string, BufferRange])[],
): Record<Name, BufferRange> {
  return Object.fromEntries(entries) as Record<Name, BufferRange>;
}

// kvLayers.ts: what each layer of a model keeps of K and V, as groups of layers that keep the same.
import { ShapeError } from '../device/errors.ts';
import { checkList, checkOneOf, checkWhole, describe, isRecord } from '../device/options.ts';

/**
 * What a layer keeps. `global`: every token. `local`: a sliding window. `chunked`: the tokens of the current chunk.
 * `cross`: the tokens of an encoder, however long the text. `shared`: it reads the cache of another layer. `none`: it
 * has no attention (state space, linear attention, convolution, MLP only).
 */
export type LayerKind = 'global' | 'local' | 'chunked' | 'cross' | 'shared' | 'none';

/** A layer with K and V of its own, or one without. */
export interface KvLayer {
  readonly kind: LayerKind;
  /** KV heads; 0 where a layer has no cache of its own. */
  readonly numKvHeads: number;
  /** Elements of a head's K, and of its V; 0 where a layer has no cache of its own. */
  readonly headDim: number;
  /** Tokens kept: at most so many where `local` or `chunked`, just so many where `cross`. */
  readonly window?: number;
}

/** Layers that keep the same. */
export interface KvLayers extends KvLayer {
  readonly count: number;
}

const ORDER: readonly LayerKind[] = ['global', 'local', 'chunked', 'cross', 'shared', 'none'];

/** Groups of equal layers, whatever their order: global ones first, more KV heads before fewer. */
export function groupLayers(layers: readonly KvLayer[]): KvLayers[] {
  const groups: KvLayers[] = [];
  for (const layer of layers) {
    const at = groups.findIndex((group) => isAlike(group, layer));
    if (at === -1) groups.push({ count: 1, ...layer });
    else groups[at] = { ...groups[at]!, count: groups[at]!.count + 1 };
  }
  return groups.toSorted(
    (a, b) =>
      ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind) ||
      b.numKvHeads - a.numKvHeads ||
      b.headDim - a.headDim ||
      (b.window ?? 0) - (a.window ?? 0),
  );
}

function isAlike(a: KvLayer, b: KvLayer): boolean {
  return (
    a.kind === b.kind && a.numKvHeads === b.numKvHeads && a.headDim === b.headDim && a.window === b.window
  );
}

/** A layer without K and V of its own. */
export function emptyLayer(kind: 'shared' | 'none'): KvLayer {
  return { kind, numKvHeads: 0, headDim: 0 };
}

/** Whether layers keep K and V of their own. */
export function keepsKv({ kind }: KvLayer): boolean {
  return kind !== 'shared' && kind !== 'none';
}

/** The number of layers of some kinds. */
export function countLayers(groups: readonly KvLayers[], ...kinds: readonly LayerKind[]): number {
  return groups.reduce((sum, group) => sum + (kinds.includes(group.kind) ? group.count : 0), 0);
}

/** Whether every layer has K and V of its own, all of as many heads of one size. Cross-attention is beside it. */
export function areAlike(groups: readonly KvLayers[]): boolean {
  const layers = groups.filter(({ kind }) => kind !== 'cross');
  const [first] = layers;
  return layers.every(
    (group) => keepsKv(group) && group.numKvHeads === first?.numKvHeads && group.headDim === first.headDim,
  );
}

/** Throws ShapeError unless these are groups of layers, each with all that its kind needs. */
export function checkKvLayers(where: string, groups: readonly KvLayers[]): void {
  checkList(`${where}: layers`, groups);
  groups.forEach((group, i) => checkGroup(`${where}: layers[${i}]`, group));
}

function checkGroup(where: string, group: KvLayers): void {
  if (!isRecord(group)) {
    throw new ShapeError(`${where}: expected { kind, count, numKvHeads, headDim }, got ${describe(group)}`);
  }
  const { kind, count, numKvHeads, headDim, window } = group;
  checkOneOf(`${where}: kind`, kind, ORDER);
  const least = keepsKv(group) ? 1 : 0;
  checkWhole(`${where}: count`, count, 1, Number.MAX_SAFE_INTEGER);
  checkWhole(`${where}: numKvHeads`, numKvHeads, least, Number.MAX_SAFE_INTEGER);
  checkWhole(`${where}: headDim`, headDim, least, Number.MAX_SAFE_INTEGER);
  if (kind === 'local' || kind === 'chunked') {
    checkWhole(`${where}: window`, window!, 1, Number.MAX_SAFE_INTEGER);
  } else if (window !== undefined) checkWhole(`${where}: window`, window, 0, Number.MAX_SAFE_INTEGER);
}

/** The same layers with `numKvHeads` KV heads in each that has a cache. */
export function withKvHeads(groups: readonly KvLayers[], numKvHeads: number): KvLayers[] {
  checkKvLayers('withKvHeads', groups);
  checkWhole('withKvHeads: numKvHeads', numKvHeads, 1, Number.MAX_SAFE_INTEGER);
  return groups.map((group) => (keepsKv(group) ? { ...group, numKvHeads } : group));
}

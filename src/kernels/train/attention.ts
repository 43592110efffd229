// attention.ts: the backward pass of causal grouped-query attention (shaders/train/attention_*.wgsl).
//
// M = B * T rows of tokens. The forward pass leaves q, turned by position, o [M, Hq, D], k and v [B, Hkv, C, D] and lse [B, Hq, T]; with
// d_o [M, Hq, D], the gradient of o, come delta [B, Hq, T] and d_qkv [M, Hq + 2 Hkv, D], a row of which has the heads of dq, dk and dv.
import aloneLib from '../../../shaders/lib/train/attention_alone.wgsl?raw';
import rowsLib from '../../../shaders/lib/train/attention_rows.wgsl?raw';
import sharedLib from '../../../shaders/lib/train/attention_shared.wgsl?raw';
import deltaSource from '../../../shaders/train/attention_delta.wgsl?raw';
import keysSource from '../../../shaders/train/attention_keys.wgsl?raw';
import queriesSource from '../../../shaders/train/attention_queries.wgsl?raw';
import type { DeviceFacts } from '../../device/deviceFacts.ts';
import { ShapeError } from '../../device/errors.ts';
import { link } from '../../device/wgsl.ts';
import type { Grid, Kernel } from '../kernel.ts';
import { checkWhole, MIN_HEAD_DIM } from '../shape.ts';
import { foldedGrid } from './grid.ts';
import { numbersOf } from './numbers.ts';

/** Most elements of a head that the backward pass has kernels for. */
export const MAX_TRAINED_HEAD_DIM = 256;

/** What its kernels are compiled for. */
export interface AttentionHeads {
  /** D, a multiple of 8 from 8 to 256. */
  readonly headDim: number;
  /** G, query heads of a KV head. */
  readonly groupSize: number;
}

/** A pass: B sequences of T tokens each. */
export interface AttentionSizes extends AttentionHeads {
  readonly batch: number;
  /** T. */
  readonly length: number;
  readonly numKvHeads: number;
  /** C, slots of a KV head in k and v, at least T. */
  readonly capacity: number;
  /** Factor on q.k. */
  readonly scale: number;
}

type Facts = Pick<DeviceFacts, 'software'>;

/** Kinds of gradients of a kernel: those of queries, or those of keys and of values. */
type Kinds = 1 | 2;

/** How its work is dealt out on a GPU: see lib attention_shared. */
interface Tiles {
  readonly columns: number;
  readonly teams: number;
  readonly parts: number;
  readonly owned: number;
  readonly walked: number;
}

/** Vec4s of a row that lie in workgroup memory at once. */
const SLICE = 4;

/** Of up to so many elements of a head, rows or keys owned and walked, as many as Intel's registers leave room for. */
const GPU_TILES = [
  { upTo: 64, columns: 16, queries: { owned: 2, walked: 2 }, keys: { owned: 2, walked: 1 } },
  { upTo: 128, columns: 32, queries: { owned: 3, walked: 1 }, keys: { owned: 2, walked: 1 } },
  { upTo: 256, columns: 32, queries: { owned: 2, walked: 1 }, keys: { owned: 1, walked: 1 } },
] as const;

/** Invocations of a workgroup. */
const GPU_INVOCATIONS = 256;

function gpuTiles({ headDim }: AttentionHeads, kinds: Kinds): Tiles {
  const { columns, queries, keys } = GPU_TILES.find(({ upTo }) => headDim <= upTo)!;
  const parts = Math.ceil(headDim / 4 / columns);
  return { columns, teams: GPU_INVOCATIONS / columns, parts, ...(kinds === 1 ? queries : keys) };
}

/** On a CPU: invocations of a workgroup, one vector; rows, and keys, that an invocation has at a time. */
const CPU_TILES = { WG_SIZE: 8, SPAN: 4 } as const;

function sharedConsts(heads: AttentionHeads, kinds: Kinds) {
  const { columns, teams, owned, walked, parts } = gpuTiles(heads, kinds);
  return { COLUMNS: columns, TEAMS: teams, OWNED: owned, WALKED: walked, PARTS: parts, SLICE };
}

function backward(name: string, kernel: string, heads: AttentionHeads, kinds: Kinds, facts: Facts): Kernel {
  checkHeads(name, heads);
  const consts = {
    GROUP_SIZE: heads.groupSize,
    KINDS: kinds,
    ...(facts.software ? CPU_TILES : sharedConsts(heads, kinds)),
  };
  const libs = [rowsLib, facts.software ? aloneLib : sharedLib];
  return { name, source: link({ kernel, libs, consts }) };
}

function checkHeads(where: string, { headDim, groupSize }: AttentionHeads): void {
  checkWhole(`${where}: groupSize`, groupSize, 1, 1024);
  checkWhole(`${where}: headDim`, headDim, MIN_HEAD_DIM, MAX_TRAINED_HEAD_DIM);
  if (headDim % 8 > 0) throw new ShapeError(`${where}: headDim (${headDim}) must be a multiple of 8`);
}

/** delta: the product of each row of o with its gradient. */
export function attentionDelta(): Kernel {
  const consts = { WG_SIZE: DELTA_ROWS };
  return { name: 'attention_delta', source: link({ kernel: deltaSource, libs: [], consts }) };
}

/** The first heads of d_qkv: dq. Throws ShapeError for heads that there is no kernel for. */
export function attentionQueries(heads: AttentionHeads, facts: Facts): Kernel {
  return backward('attention_queries', queriesSource, heads, 1, facts);
}

/** The other heads of d_qkv: dk and dv. Throws ShapeError for heads that there is no kernel for. */
export function attentionKeys(heads: AttentionHeads, facts: Facts): Kernel {
  return backward('attention_keys', keysSource, heads, 2, facts);
}

/** Rows of a workgroup. */
const DELTA_ROWS = 64;

function deltaRows({ batch, length, numKvHeads, groupSize }: AttentionSizes): number {
  return batch * length * numKvHeads * groupSize;
}

const packDelta = numbersOf(deltaSource, 'DeltaNumbers', {
  rows: 'u32',
  length: 'u32',
  heads: 'u32',
  fours: 'u32',
});

/** The words of attention_delta's `numbers` binding. */
export function attentionDeltaNumbers(sizes: AttentionSizes): Uint32Array<ArrayBuffer> {
  const { length, numKvHeads, groupSize, headDim } = sizes;
  return packDelta({ rows: deltaRows(sizes), length, heads: numKvHeads * groupSize, fours: headDim / 4 });
}

/** Its workgroups. */
export function attentionDeltaGrid(sizes: AttentionSizes): Grid {
  return foldedGrid(Math.ceil(deltaRows(sizes) / DELTA_ROWS));
}

const pack = numbersOf(rowsLib, 'AttentionNumbers', {
  batch: 'u32',
  length: 'u32',
  num_kv_heads: 'u32',
  capacity: 'u32',
  fours: 'u32',
  scale: 'f32',
});

/** The words of the `numbers` binding of attention_queries and attention_keys. */
export function attentionNumbers(sizes: AttentionSizes): Uint32Array<ArrayBuffer> {
  return pack({ ...sizes, num_kv_heads: sizes.numKvHeads, fours: sizes.headDim / 4 });
}

/** Workgroups of attention_queries. */
export function attentionQueriesGrid(sizes: AttentionSizes, facts: Facts): Grid {
  return gridOf(sizes, sizes.length * sizes.groupSize, 1, facts);
}

/** Workgroups of attention_keys. */
export function attentionKeysGrid(sizes: AttentionSizes, facts: Facts): Grid {
  return gridOf(sizes, sizes.length, 2, facts);
}

/** Workgroups where each KV head of a sequence has so many rows or keys. */
function gridOf(sizes: AttentionSizes, count: number, kinds: Kinds, { software }: Facts): Grid {
  const heads = sizes.batch * sizes.numKvHeads;
  if (software) return foldedGrid(Math.ceil((heads * Math.ceil(count / CPU_TILES.SPAN)) / CPU_TILES.WG_SIZE));
  const { teams, owned } = gpuTiles(sizes, kinds);
  return foldedGrid(heads * Math.ceil(count / (teams * owned)));
}

// attendRope.ts: `gqa attend --rope-base`: q and new k are turned on the device, by the kernel that appends, before attention reads them.
import { CheckpointError } from '../../src/checkpoint/format/checkpointError.ts';
import { ShapeError } from '../../src/device/errors.ts';
import {
  createKvCache,
  createRope,
  type GqaDevice,
  type KvCache,
  readBack,
  type Rope,
  type RopeFormat,
  uploadStorage,
} from '../../src/index.ts';
import { storedBytes, type RowsLayout } from '../../src/numbers/elements.ts';
import { pastOf, type AttendInput, type InputShape } from './attendInput.ts';
import type { RopeArgs } from './attendOptions.ts';
import { whereIs } from './attendTensors.ts';

type Floats = Float32Array<ArrayBuffer>;

/** How an input's rows are turned, and the positions that they begin at: [B]. */
export interface InputRope {
  readonly format: RopeFormat;
  readonly qStarts: readonly number[];
  readonly kStarts: readonly number[];
}

/** Throws ShapeError for rows that cannot be turned so. */
export function checkRopeShape({ tensors }: InputShape, { ropeBase, ropeDim }: RopeArgs): void {
  const { dim } = tensors.q;
  if (ropeBase === undefined) return;
  if (ropeDim !== undefined && ropeDim > dim) {
    throw new ShapeError(`--rope-dim: expected at most D, ${dim}, got ${ropeDim}`);
  }
  if (ropeDim === undefined && dim % 2 !== 0) {
    throw new ShapeError(`--rope-base: expected an even D, or --rope-dim beside it, got a D of ${dim}`);
  }
}

/** What to turn by, if anything. Throws CheckpointError for queries that come before their sequence begins. */
export function inputRope(
  path: string,
  { tensors, batch, kvLens, qLen, headDim }: AttendInput,
  { ropeBase: base, ropeStyle: style, ropeDim: rotaryDim = tensors.q.dim }: RopeArgs,
): InputRope | undefined {
  if (base === undefined) return undefined;
  const qStarts = kvLens.map((kvLen) => kvLen - qLen);
  const short = qStarts.findIndex((start) => start < 0);
  if (short >= 0) {
    const wanted = `expected as many keys as queries, ${qLen}, or more, for each query to have a position`;
    throw new CheckpointError(
      `${whereIs(path, 'q')}: --rope-base: ${wanted}; got ${kvLens[short]} of sequence ${short}`,
    );
  }
  return {
    format: { headDim, rotaryDim, base, ...(style && { style }) },
    qStarts,
    kStarts: Array.from({ length: batch }, () => pastOf(tensors)),
  };
}

/** Turns q and the keys behind past ones where they lie. */
export async function turnInput(
  device: GqaDevice,
  { q, k, numQHeads, numKvHeads, qLen, keys, capacity, tensors }: AttendInput,
  { format, qStarts, kStarts }: InputRope,
): Promise<void> {
  const past = pastOf(tensors);
  await turnRows(device, format, { values: q, heads: numQHeads, slots: qLen, first: 0, end: qLen }, qStarts);
  const newKeys = { values: k, heads: numKvHeads, slots: capacity, first: past, end: keys };
  await turnRows(device, format, newKeys, kStarts);
}

/** Slots `first` to `end` of rows [B, heads, slots, D]. */
interface Rows {
  readonly values: Float32Array;
  readonly heads: number;
  readonly slots: number;
  readonly first: number;
  readonly end: number;
}

/** Rows of each head that go to the device at a time. */
const CHUNK = 4096;

/**
 * Turns rows by the positions from `starts` on, as an engine has its queries turned: by appends. Nothing is wanted of the cache that
 * they go to but that its lengths are the positions.
 */
async function turnRows(
  device: GqaDevice,
  format: RopeFormat,
  rows: Rows,
  starts: readonly number[],
): Promise<void> {
  const { headDim } = format;
  const positions = Math.max(...starts) + rows.end - rows.first;
  const shape = { batch: starts.length, numKvHeads: 1, headDim, vHeadDim: 8, capacity: positions } as const;
  const cache = await createKvCache(device, { ...shape, kType: 'int4' });
  try {
    const rope = await createRope(device, { ...format, positions });
    try {
      const { k, v } = cache.layout;
      const nothing = (stored: RowsLayout) => new Uint8Array(storedBytes(stored));
      cache.load({ k: nothing(k), v: nothing(v), kvLens: starts });
      for (let first = rows.first; first < rows.end; first += CHUNK) {
        await turnChunk(cache, rope, { ...rows, first, end: Math.min(first + CHUNK, rows.end) });
      }
    } finally {
      rope.destroy();
    }
  } finally {
    cache.destroy();
  }
}

async function turnChunk(cache: KvCache, rope: Rope, chunk: Rows): Promise<void> {
  const { device, layout } = cache;
  const { batch, headDim, vHeadDim } = layout;
  const numTokens = chunk.end - chunk.first;
  const upload = (label: string, values: Floats) => uploadStorage(device, label, values);
  const sent = copyChunk(chunk, headDim, new Float32Array(batch * chunk.heads * numTokens * headDim), 'out');
  const buffers = {
    q: upload('rows', sent),
    k: upload('k', new Float32Array(batch * numTokens * headDim)),
    v: upload('v', new Float32Array(batch * numTokens * vHeadDim)),
  };
  try {
    await cache.append({ ...buffers, numTokens, numQHeads: chunk.heads, rope });
    copyChunk(chunk, headDim, new Float32Array(await readBack(device, buffers.q)), 'back');
  } finally {
    for (const buffer of Object.values(buffers)) buffer.destroy();
  }
}

/** Copies the chunk's rows to a dense tensor of them, or back. */
function copyChunk(
  { values, slots, first, end }: Rows,
  dim: number,
  dense: Floats,
  way: 'out' | 'back',
): Floats {
  const size = (end - first) * dim;
  for (let at = 0, head = 0; at < dense.length; at += size, head++) {
    const place = (head * slots + first) * dim;
    if (way === 'out') dense.set(values.subarray(place, place + size), at);
    else values.set(dense.subarray(at, at + size), place);
  }
  return dense;
}

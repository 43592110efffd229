// snapshot.ts: copies the tokens of a cache to the host, and puts them into a cache again.
import { copyAllOut, writeData, type BufferRange } from '../device/buffers.ts';
import { ShapeError } from '../device/errors.ts';
import { checkOptions, checkWhole, type Known } from '../device/options.ts';
import { ADVICE, type CacheParts } from './parts.ts';
import type { CacheLayer } from './layers.ts';
import type { CacheLayout } from './layout.ts';
import { partsOf, tensorBytes, type Piece, type SequenceTensor } from './sequenceRows.ts';
import {
  checkedTensors,
  contentsOf,
  kindOf,
  metadataOf,
  tensorsOf,
  type CacheSnapshot,
  type Contents,
  type SnapshotTensor,
  type StoredSnapshot,
} from './snapshotFormat.ts';

/** Which sequence a snapshot is of, or goes to. */
export interface SnapshotOptions {
  /** From 0. Default: all of them, each in its own place. */
  readonly sequence?: number;
}

const SNAPSHOT_OPTIONS = { sequence: true } satisfies Known<SnapshotOptions>;

/** Throws ShapeError for options that cannot be. */
export function checkSnapshotOptions(where: string, options: SnapshotOptions, { layout }: CacheParts): void {
  checkOptions(where, options, SNAPSHOT_OPTIONS);
  if (options.sequence !== undefined) checkWhole(`${where}: sequence`, options.sequence, 0, layout.batch - 1);
}

/** `KvCache.snapshot`, options checked. All copies are submitted before anything is awaited: they are of one moment. */
export async function snapshot(cache: CacheParts, { sequence }: SnapshotOptions): Promise<CacheSnapshot> {
  const { layout, lengths, status } = cache;
  status.checkSubmitted('snapshot');
  const sequences = sequence === undefined ? Array.from({ length: layout.batch }, (_, b) => b) : [sequence];
  const kvLens = layout.perLayer.map((_, layer) => sequences.map((b) => lengths.live(layer)[b]!));
  const written = layout.perLayer.map((_, layer) => sequences.map((b) => lengths.written(layer)[b]!));
  const hasRings = layout.perLayer.some(({ ring }) => ring);
  const contents = { ...kindOf(layout), sequences, kvLens, ...(hasRings && { written }) };
  const reads = layout.perLayer.flatMap((_, layer) => [
    readTensors(cache, contents, layer, 'k'),
    readTensors(cache, contents, layer, 'v'),
  ]);
  const tensors = (await Promise.all(reads)).flat();
  return { tensors, metadata: metadataOf(contents, tensors) };
}

async function readTensors(
  { device, layout, layers, tables }: CacheParts,
  contents: Pick<Contents, 'sequences' | 'kvLens'>,
  layer: number,
  of: 'k' | 'v',
): Promise<SnapshotTensor[]> {
  const parts = placesOf(tables, layout, contents.sequences);
  const wanted = tensorsOf(layout, contents, layer, of, parts);
  const ranges = wanted.flatMap(({ pieces }) => pieces).map((piece) => rangeOf(layers[layer]!, of, piece));
  const isEmpty = ranges.every(({ size }) => size === 0);
  const all = isEmpty ? new ArrayBuffer() : await copyAllOut(device, `snapshot of layer ${layer}`, ranges);
  let at = 0;
  return wanted.map((tensor) => {
    const data = new Uint8Array(tensorBytes(tensor));
    let to = 0;
    for (const { kept, size } of tensor.pieces) {
      data.set(new Uint8Array(all, at, kept), to);
      at += size;
      to += kept;
    }
    return { name: tensor.name, dtype: tensor.dtype, shape: tensor.shape, data };
  });
}

/** `KvCache.restore`, options checked. Everything is checked before anything is written. */
export function restore(cache: CacheParts, stored: StoredSnapshot, options: SnapshotOptions): void {
  const { layout, layers, lengths, status, tables } = cache;
  status.checkSubmitted('restore');
  const contents = contentsOf(stored);
  const targets = checkedTargets(cache, contents, options);
  const allTensors = (parts: Parts) =>
    layers.flatMap((layer, i) =>
      (['k', 'v'] as const).flatMap((of) =>
        tensorsOf(layout, contents, i, of, parts).map((tensor) => ({ ...tensor, layer, of })),
      ),
    );
  const whole: Parts = (layer, _, kvLen) => partsOf(layer, 0, kvLen);
  const data = checkedTensors(stored, allTensors(whole), contents.crc32);
  const longest = targets.map((_, i) => Math.max(...contents.kvLens.map((kvLens) => kvLens[i]!)));
  tables?.replace(targets, longest);
  write(cache, allTensors(placesOf(tables, layout, targets)), data);
  contents.kvLens.forEach((kvLens, layer) =>
    kvLens.forEach((kvLen, i) =>
      lengths.replaceSequence(layer, targets[i]!, kvLen, contents.written?.[layer]?.[i] ?? kvLen),
    ),
  );
  cache.device.advise(ADVICE);
}

type Parts = Parameters<typeof tensorsOf>[4];

/** Where the tokens of these sequences lie. */
function placesOf(tables: CacheParts['tables'], layout: CacheLayout, sequences: readonly number[]): Parts {
  const { segmentPages } = layout;
  return (layer, i, kvLen) =>
    partsOf(layer, sequences[i]!, kvLen, tables?.storedPages(sequences[i]!), segmentPages);
}

/** Where a piece lies. */
function rangeOf(layer: CacheLayer, of: 'k' | 'v', { segment, offset, size }: Piece): BufferRange {
  const range = layer.segments[segment]![of];
  return { buffer: range.buffer, offset: range.offset + offset, size };
}

interface PlacedTensor extends SequenceTensor {
  readonly name: string;
  readonly layer: CacheLayer;
  readonly of: 'k' | 'v';
}

function write(
  { device }: CacheParts,
  placed: readonly PlacedTensor[],
  data: ReadonlyMap<string, Uint8Array>,
): void {
  for (const { name, pieces, layer, of } of placed) {
    let at = 0;
    for (const piece of pieces) {
      const bytes = padded(data.get(name)!.subarray(at, at + piece.kept), piece);
      writeData(device, rangeOf(layer, of, piece), bytes);
      at += piece.kept;
    }
  }
}

/** What is behind the last row's scale belongs to a slot without a token. */
function padded(bytes: Uint8Array, { kept, size }: Piece): Uint8Array {
  if (kept === size) return bytes;
  const whole = new Uint8Array(size);
  whole.set(bytes);
  return whole;
}

/** The sequences that those of a snapshot go to. Throws ShapeError when it does not fit the cache. */
function checkedTargets(
  { layout }: CacheParts,
  { kType, vType, layers, sequences, kvLens }: Contents,
  { sequence }: SnapshotOptions,
): readonly number[] {
  const [expected, given] = [kindOf(layout), { kType, vType, layers }].map((kind) => JSON.stringify(kind));
  if (expected !== given)
    throw new ShapeError(`restore: expected a snapshot of ${expected}, got one of ${given}`);
  if (sequence !== undefined && sequences.length !== 1) {
    throw new ShapeError(
      `restore: sequence: expected a snapshot of one sequence, got one of ${sequences.length}`,
    );
  }
  const longest = kvLens.flat().reduce((most, kvLen) => Math.max(most, kvLen), 0);
  checkWhole('restore: tokens', longest, 0, layout.capacity);
  const targets = sequence === undefined ? sequences : [sequence];
  for (const b of targets) checkWhole('restore: sequence', b, 0, layout.batch - 1);
  return targets;
}

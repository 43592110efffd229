// cacheState.ts: holds what a cache says and what its buffers hold against the model, and the memory of the device against what is accounted for.
import { expect } from 'vitest';
import { decodeRows, type KvCache, type LayerLayout } from '../../src/index.ts';
import type { PageTables } from '../../src/cache/pageTables.ts';
import { partialBytes } from '../../src/decode/planContext.ts';
import { copyAllOut } from '../../src/device/buffers.ts';
import type { CacheModel } from './cacheModel.ts';
import { BATCH } from './cacheSetup.ts';
import type { LayerModel, Rows } from './layerModel.ts';
import type { RealCache } from './realCache.ts';

/** Fails unless the lengths, pages, rows and bytes of the cache are the model's. */
export async function expectState(model: CacheModel, { cache, live }: RealCache): Promise<void> {
  if (model.cacheError()) return;
  if (live) expect(live.bytes(/^[kv]_cache /)).toBe(cache.allocatedBytes);
  expect(model.layers.map((_, layer) => cache.kvLens(layer))).toEqual(model.layers.map(({ lens }) => lens));
  expectPages(model, cache);
  await expectRows(model, cache);
}

const pagesOf = (cache: KvCache) => Array.from({ length: BATCH }, (_, b) => cache.pageTables!.pagesOf(b));

/** Each page of the model is one page of the cache, in the same places; those that no sequence holds are free. */
function expectPages({ pages, isCallers }: CacheModel, cache: KvCache): void {
  if (!pages) return;
  const lists = pagesOf(cache);
  if (isCallers) {
    expect(lists).toEqual(pages.lists);
    expect(cache.freePages).toBeUndefined();
    return;
  }
  const names = (all: readonly (readonly number[])[]) => {
    const known = [...new Set(all.flat())];
    return all.map((list) => list.map((page) => known.indexOf(page)));
  };
  expect(names(lists)).toEqual(names(pages.lists));
  expect(cache.freePages! + new Set(lists.flat()).size).toBe(pages.sizes.pages);
}

type Stored = readonly { readonly k: Rows; readonly v: Rows }[];

/** A row of a token: the segment that it lies in, and which of its rows it is. */
interface RowPlace {
  readonly segment: number;
  readonly row: number;
}

/** Where the rows of a token lie, one of each head. */
function placesOf(
  layer: LayerModel,
  own: LayerLayout,
  { layout }: KvCache,
  lists: readonly (readonly number[])[] | undefined,
  [b, token]: readonly [number, number],
): RowPlace[] {
  const { numKvHeads } = layer.setup;
  if (lists) {
    const { pageSize = 1, segmentPages = 1 } = layout;
    const page = lists[b]![Math.floor(token / pageSize)]!;
    const row = (page % segmentPages) * pageSize + (token % pageSize);
    const segment = Math.floor(page / segmentPages);
    return Array.from({ length: numKvHeads }, (_, head) => ({
      segment,
      row: row + head * segmentPages * pageSize,
    }));
  }
  const { ring } = layer;
  const step = ring?.slots ?? layout.capacity;
  const sinks = ring?.sinkSlots ?? Infinity;
  const slot = ring && token >= sinks ? sinks + ((token - sinks) % (ring.slots - sinks)) : token;
  // Heads of all sequences are dealt out one by one; a segment is full, or the next head is another sequence's that is not in it whole.
  const { segmentHeads } = own;
  return Array.from({ length: numKvHeads }, (_, head) => {
    const whole = Math.floor(segmentHeads / numKvHeads);
    const [segment, local] =
      whole > 0
        ? [Math.floor(b / whole), (b % whole) * numKvHeads + head]
        : [b * Math.ceil(numKvHeads / segmentHeads) + Math.floor(head / segmentHeads), head % segmentHeads];
    return { segment, row: local * step + slot };
  });
}

/** Every token that is there is the model's, bit for bit; a page that is to become a copy is still the one it will be copied from. */
async function expectRows(model: CacheModel, cache: KvCache): Promise<void> {
  const stored = await storedRows(cache);
  const tables = cache.pageTables as PageTables | undefined;
  const lists = tables && pagesOf(cache).map((_, b) => tables.storedPages(b));
  const wrong: string[] = [];
  for (const [i, layer] of model.layers.entries()) {
    for (const [b, kvLen] of layer.lens.entries()) {
      for (let token = 0; token < kvLen; token++) {
        if (!layer.isThere(b, token)) continue;
        const places = placesOf(layer, cache.layout.perLayer[i]!, cache, lists, [b, token]);
        for (const of of ['k', 'v'] as const) {
          const wanted = layer.token(of, b, token);
          if (
            places.every((place, head) =>
              isRow(wanted, head, places.length, stored[i]![place.segment]![of], place.row),
            )
          )
            continue;
          wrong.push(`${of} of layer ${i}, sequence ${b}, token ${token}`);
        }
      }
    }
  }
  expect(wrong).toEqual([]);
}

function isRow(wanted: Rows, head: number, heads: number, stored: Rows, row: number): boolean {
  const dim = wanted.length / heads;
  for (let d = 0; d < dim; d++) {
    if (!Object.is(stored[row * dim + d], wanted[head * dim + d])) return false;
  }
  return true;
}

/** What the buffers of each layer and segment hold. */
async function storedRows({ device, layers, layout }: KvCache): Promise<readonly Stored[]> {
  const ranges = layers.flatMap(({ segments }) => segments.flatMap(({ k, v }) => [k, v]));
  const bytes = await copyAllOut(device, 'rows of all layers', ranges);
  let at = 0;
  const next = (size: number) => new Uint8Array(bytes, (at += size) - size, size);
  return layers.map(({ segments }, layer) => {
    const { k: kRows, v: vRows, segmentHeads: heads } = layout.perLayer[layer]!;
    return segments.map(({ k, v }) => ({
      k: decodeRows({ ...kRows, heads }, next(k.size)),
      v: decodeRows({ ...vRows, heads }, next(v.size)),
    }));
  });
}

/** Bytes of the decoders' scratch memory. */
function scratchBytes({ decoders }: RealCache): number {
  return [...new Set(decoders)].reduce((sum, { context }) => {
    const { shape, layout, kernel, maxPartials } = context;
    const bytes = kernel === 'plain' ? shape.rows * layout.capacity * 4 : partialBytes(shape, maxPartials);
    return sum + Math.max(16, bytes);
  }, 0);
}

/** A layer's counters, and a copy of them. */
const STATUS_BYTES = 2 * 256;

const STEPS = /^(append|fork|decode) step$/;

/** Fails unless the device has as many bytes of buffers as cache, decoders and the test account for. */
export function expectMemory(model: CacheModel, real: RealCache): void {
  const { live, cache, buffers } = real;
  if (!live) return;
  const own = buffers.reduce((sum, { size }) => sum + size, 0);
  const ofCache = model.hasCache ? cache.allocatedBytes + cache.layout.layers * STATUS_BYTES : 0;
  const ofDecoders = model.hasDecoder ? scratchBytes(real) : 0;
  const steps = live.bytes(STEPS);
  expect(live.bytes(/(?:)/) - steps, JSON.stringify(live.labels())).toBe(own + ofCache + ofDecoders);
  const { allocatedBytes, layout } = cache;
  const most =
    layout.totalBytes +
    2 * 240 * layout.layers * Math.max(...layout.perLayer.map(({ segments }) => segments));
  expect(allocatedBytes).toBeGreaterThanOrEqual(layout.totalBytes);
  expect(allocatedBytes).toBeLessThanOrEqual(most);
}

/** Fails if anything is left of caches and decoders that are gone, but the chunks of step numbers that gave way to longer ones. */
export function expectNothing({ live, made: { caches, decoders } }: RealCache): void {
  if (!live) return;
  const rings = { 'append step': caches, 'fork step': caches, 'decode step': decoders };
  const letGo = Object.entries(rings).map(([label, count]) => [label, live.made(label) - count] as const);
  expect(live.labels()).toEqual(Object.fromEntries(letGo.filter(([, count]) => count > 0)));
}

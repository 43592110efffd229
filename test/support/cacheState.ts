// cacheState.ts: holds what a cache says and what its buffers hold against the model, and the memory of the device against what is accounted for.
import { expect } from 'vitest';
import { decodeRows, type KvCache } from '../../src/index.ts';
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

/** Where a token lies: its segment, and its row of the sequence's first head; and rows from a head to the next. */
function placeOf(
  layer: LayerModel,
  { layout }: KvCache,
  lists: readonly (readonly number[])[] | undefined,
  [b, token]: readonly [number, number],
): { readonly segment: number; readonly row: number; readonly step: number } {
  const { numKvHeads } = layer.setup;
  if (lists) {
    const { pageSize = 1, segmentPages = 1 } = layout;
    const page = lists[b]![Math.floor(token / pageSize)]!;
    const row = (page % segmentPages) * pageSize + (token % pageSize);
    return { segment: Math.floor(page / segmentPages), row, step: segmentPages * pageSize };
  }
  const { ring } = layer;
  const step = ring?.slots ?? layout.capacity;
  const sinks = ring?.sinkSlots ?? Infinity;
  const slot = ring && token >= sinks ? sinks + ((token - sinks) % (ring.slots - sinks)) : token;
  return { segment: 0, row: b * numKvHeads * step + slot, step };
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
        const place = placeOf(layer, cache, lists, [b, token]);
        for (const of of ['k', 'v'] as const) {
          const wanted = layer.token(of, b, token);
          if (isRow(wanted, stored[i]![place.segment]![of], place, layer.setup.numKvHeads)) continue;
          wrong.push(`${of} of layer ${i}, sequence ${b}, token ${token}`);
        }
      }
    }
  }
  expect(wrong).toEqual([]);
}

function isRow(
  wanted: Rows,
  stored: Rows,
  { row, step }: { readonly row: number; readonly step: number },
  heads: number,
): boolean {
  const dim = wanted.length / heads;
  for (let head = 0; head < heads; head++) {
    const at = (row + head * step) * dim;
    for (let d = 0; d < dim; d++) {
      if (!Object.is(stored[at + d], wanted[head * dim + d])) return false;
    }
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
    const { k: kRows, v: vRows } = layout.perLayer[layer]!;
    return segments.map(({ k, v }) => ({
      k: decodeRows(kRows, next(k.size)),
      v: decodeRows(vRows, next(v.size)),
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
  const most = layout.totalBytes + 2 * 240 * layout.layers * (layout.segments ?? 1);
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

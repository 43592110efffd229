// layer.ts: one layer's cache, step and new rows, and the ways to append these and attend.
import {
  createDecoder,
  createKvCache,
  createRope,
  createStorage,
  readBack,
  uploadStorage,
  type BufferRange,
  type GqaDevice,
  type KvCache,
  type LostElements,
} from '../../../src/index.ts';
import { partialBytes } from '../../../src/decode/planContext.ts';
import { bindKernel, dispatch, type BoundKernel } from '../../../src/device/record.ts';
import { StepRing } from '../../../src/device/ring.ts';
import { APPEND_STATUS_WORDS, appendStatus } from '../../../src/kernels/appendKv.ts';
import { decodeMerge, mergeSets } from '../../../src/kernels/decodeMerge.ts';
import { fusedKernel } from '../../../src/kernels/fused.ts';
import { normals } from '../../../src/numbers/random.ts';
import { storeProblem, type StoredProblem } from '../../../src/reference/problem.ts';
import { fusedAppendKernel, ROW_FORMATS, type Fusing } from './kernel.ts';

/** A layer of one sequence. */
export interface LayerCase {
  readonly numQHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  /** Tokens before the step, and those that it appends. */
  readonly depth: number;
  readonly fresh: number;
  /** Default: as the decoder likes. */
  readonly numSplits?: number;
  /** Slots behind them. Default 1. */
  readonly spare?: number;
  /** Values that replace the first ones of each new row. Default none. */
  readonly odd?: readonly number[];
}

export type Way = (pass: GPUComputePassEncoder) => void;

type Rows = Float32Array<ArrayBuffer>;

/** What a way has left behind. */
export interface Outcome {
  readonly o: Float32Array;
  readonly q: Rows;
  readonly k: Uint8Array<ArrayBuffer>;
  readonly v: Uint8Array<ArrayBuffer>;
  readonly lost: readonly [LostElements, LostElements];
}

/** A layer on a device. */
export interface Layer {
  readonly cache: KvCache;
  readonly numSplits: number;
  /** All tokens, as they are stored. */
  readonly whole: StoredProblem;
  /** By name. Those that turn are for steps of one position. */
  readonly ways: ReadonlyMap<string, Way>;
  /** A way on a cache as it was before. */
  run(way: Way): Promise<Outcome>;
  destroy(): void;
}

const NOTHING = { name: 'nothing', source: '@compute @workgroup_size(1) fn main() {}' };

export async function createLayer(device: GqaDevice, of: LayerCase): Promise<Layer> {
  const { numQHeads, numKvHeads, headDim, fresh, numSplits } = of;
  const { whole, before, k, v } = problemsOf(of);
  const { capacity } = whole;
  const made: { destroy(): void }[] = [];
  const keep = <T extends { destroy(): void }>(each: T): T => {
    made.unshift(each);
    return each;
  };
  const cache = keep(await createKvCache(device, { numKvHeads, headDim, capacity, kType: 'f16' }));
  const decoder = keep(
    await createDecoder(device, { cache, numQHeads, qLen: fresh, kernel: 'registers', fixedSplits: true }),
  );
  const { shape, context } = decoder;
  const { variant, subgroupSize, maxPartials } = context;
  if (variant.template !== 'registers') throw new Error(`expected registers, got ${variant.template}`);
  const plan = decoder.plan({ kvLens: whole.kvLens, ...(numSplits !== undefined && { numSplits }) });
  const part = plan.parts[0]!;
  const storage = (name: string, bytes: number) => rangeOf(keep(createStorage(device, name, bytes)));
  const q = rangeOf(keep(uploadStorage(device, 'q', whole.q)));
  const turnedQ = storage('turned q', whole.q.byteLength);
  const o = storage('o', whole.q.byteLength);
  const partial = storage('partial states', Math.max(16, partialBytes(shape, maxPartials)));
  const status = storage('status', APPEND_STATUS_WORDS * 4);
  const rows = { k: keep(uploadStorage(device, 'k', k)), v: keep(uploadStorage(device, 'v', v)) };
  const rope = keep(await createRope(device, { headDim, positions: capacity }));
  const args = { ...rows, numTokens: fresh };
  const append = await cache.bindAppend(args);
  const turning = await cache.bindAppend({ ...args, rope, q: q.buffer, numQHeads });
  const ring = keep(new StepRing(device, 'steps', part.stepWords.length));
  const { k: k_cache, v: v_cache } = cache.layers[0]!;
  const buffers = { k_cache, v_cache, step: ring, o, partial };
  const bind = async (fusing: Fusing) => {
    const appends = fusing !== 'writable' && { k_fresh: rangeOf(rows.k), v_fresh: rangeOf(rows.v), status };
    const turns = fusing.startsWith('turned') && { turns: rope.range() };
    const kernel = fusedAppendKernel(shape, variant, subgroupSize, fusing);
    const stored = fusing === 'turned alone' && { turned_q: turnedQ };
    return bindKernel(device.gpu, await device.pipelines.get(kernel), {
      ...buffers,
      q,
      ...appends,
      ...turns,
      ...stored,
    });
  };
  const own = await device.pipelines.get(
    fusedKernel(shape, cache.layout, variant, ROW_FORMATS, subgroupSize),
  );
  const merging = decodeMerge(shape, mergeSets(headDim, device.facts), ROW_FORMATS);
  const merge = bindKernel(device.gpu, await device.pipelines.get(merging), { step: ring, o, partial });
  const nothing = bindKernel(device.gpu, await device.pipelines.get(NOTHING), {});
  const items = (kernel: BoundKernel): Way => {
    return (pass) => dispatch(pass, kernel, part.grid, ring.place(part.stepWords, part));
  };
  const attending = (kernel: BoundKernel): Way => {
    const first = items(kernel);
    if (!plan.merges) return first;
    return inTurn(first, (pass) => dispatch(pass, merge, plan.rowGrid, ring.place(part.stepWords, part)));
  };
  const step = attending(bindKernel(device.gpu, own, { ...buffers, q }));
  const stepOnTurned = attending(bindKernel(device.gpu, own, { ...buffers, q: turnedQ }));
  const ways = new Map<string, Way>([
    ['step', step],
    ['append, step', inTurn((pass) => append.record(pass), step)],
    ['fused', attending(await bind('plain'))],
    ['turning append, step', inTurn((pass) => turning.record(pass), step)],
    ['turning fused', attending(await bind('turned'))],
    ['lean append, step', inTurn(items(await bind('plain alone')), step)],
    ['turning lean append, step', inTurn(items(await bind('turned alone')), stepOnTurned)],
    ['nothing, step', inTurn((pass) => dispatch(pass, nothing, [1, 1, 1]), step)],
    ['step, writable', attending(await bind('writable'))],
  ]);
  return {
    cache,
    numSplits: plan.numSplits,
    whole,
    ways,
    async run(way) {
      cache.load({ k: before.kStored, v: before.vStored, kvLens: before.kvLens });
      device.gpu.queue.writeBuffer(q.buffer, 0, whole.q);
      device.gpu.queue.writeBuffer(status.buffer, 0, new Uint32Array(APPEND_STATUS_WORDS));
      const already = await cache.report();
      const encoder = device.gpu.createCommandEncoder();
      const pass = encoder.beginComputePass();
      way(pass);
      pass.end();
      device.gpu.queue.submit([encoder.finish()]);
      const read = (range: BufferRange) => readBack(device, range);
      const counted = appendStatus(new Uint32Array(await read(status)));
      const report = await cache.report();
      const lost = (name: 'k' | 'v') => sum(counted[name], difference(report[name], already[name]));
      return {
        o: new Float32Array(await read(o)),
        q: new Float32Array(await read(q)),
        k: new Uint8Array(await read(k_cache)),
        v: new Uint8Array(await read(v_cache)),
        lost: [lost('k'), lost('v')],
      };
    },
    destroy() {
      for (const each of made) each.destroy();
    },
  };
}

/** All tokens, those before the step, and the rows of the new ones. What is not there yet is NaN. */
function problemsOf({ numQHeads, numKvHeads, headDim, depth, fresh, spare = 1, odd = [] }: LayerCase) {
  const heads = { numQHeads, numKvHeads, headDim };
  const capacity = depth + fresh + spare;
  const [k, v] = [2, 3].map((seed) => normals(seed, numKvHeads * capacity * headDim)) as [Rows, Rows];
  const freshRows = (all: Rows) => {
    const rows = Array.from({ length: numKvHeads }, (_, head) => {
      const first = (head * capacity + depth) * headDim;
      return all.slice(first, first + fresh * headDim);
    }).flatMap((each) => Array.from(each));
    return Float32Array.from(rows, (x, i) => odd[i % headDim] ?? x);
  };
  const stored = (kvLen: number) => {
    const [kept, keptV] = [k, v].map((all) =>
      all.map((x, i) => (Math.floor(i / headDim) % capacity < kvLen ? x : NaN)),
    ) as [Rows, Rows];
    const q = normals(1, numQHeads * fresh * headDim);
    return storeProblem({
      ...heads,
      kType: 'f16',
      capacity,
      qLen: fresh,
      q,
      k: kept,
      v: keptV,
      kvLens: [kvLen],
    });
  };
  return { whole: stored(depth + fresh), before: stored(depth), k: freshRows(k), v: freshRows(v) };
}

function inTurn(first: Way, then: Way): Way {
  return (pass) => {
    first(pass);
    then(pass);
  };
}

function rangeOf(buffer: GPUBuffer): BufferRange {
  return { buffer, offset: 0, size: buffer.size };
}

function sum(a: LostElements, b: LostElements): LostElements {
  return {
    notFinite: a.notFinite + b.notFinite,
    saturated: a.saturated + b.saturated,
    vanished: a.vanished + b.vanished,
  };
}

function difference(a: LostElements, b: LostElements): LostElements {
  return sum(a, { notFinite: -b.notFinite, saturated: -b.saturated, vanished: -b.vanished });
}

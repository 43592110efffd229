// recordingGarbage.ts: measures the garbage of recordings, in a process of its own, and prints it as JSON, in bytes a call. Beside other
// tests, which give the same functions objects of many kinds, the compiler boxes numbers that a program's own calls would not.
//
//   node scripts/runTs.mjs test/support/recordingGarbage.ts NOISE
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { borrowDevice, createDecoder, createKvCache, createStorage, openDevice } from '../../src/index.ts';
import { nodeGpu } from '../../src/node/nodeGpu.ts';

setFlagsFromString('--expose-gc');
// What is hot is compiled in the loop that runs it, however busy the machine.
setFlagsFromString('--no-concurrent-recompilation');
const collectGarbage = runInNewContext('gc') as () => void;

const TIMES = 20_000;
const ROUNDS = 20;
const noise = Number(process.argv[2]);

// Borrowed, since that lets the pass below through: it is not one of the device's.
const device = borrowDevice((await openDevice((await nodeGpu()).gpu)).gpu);

/** A pass that keeps nothing: what the WebGPU implementation allocates is not ours. */
const pass = {
  setPipeline() {},
  setBindGroup() {},
  dispatchWorkgroups() {},
} as unknown as GPUComputePassEncoder;

/**
 * Bytes that the heap grows by in a call: the least of several rounds, which end where one stays below the noise. What the calls allocate they allocate in every round;
 * what the runtime does beside them, and the boxed numbers of code that is not compiled yet, come to an end.
 */
function garbage(act: () => void): number {
  let least = Infinity;
  for (let round = 0; round < ROUNDS && least >= noise; round++) {
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < TIMES; i++) act();
    least = Math.min(least, (process.memoryUsage().heapUsed - before) / TIMES);
  }
  return least;
}

async function step(batch: number): Promise<number> {
  const cache = await createKvCache(device, { batch, numKvHeads: 1, headDim: 64, capacity: 512 });
  const stored = new Uint8Array(cache.layout.kBytes);
  cache.load({ k: stored, v: stored, kvLens: Array.from({ length: batch }, () => 512) });
  const decoder = await createDecoder(device, { cache, numQHeads: 2, fixedSplits: true });
  const q = createStorage(device, 'q', batch * 2 * 64 * 4);
  const o = createStorage(device, 'o', batch * 2 * 64 * 4);
  const bound = await decoder.bind({ q, o });
  const plan = decoder.plan({ kvLens: cache.kvLens(), numSplits: 4 });
  if (!plan.merges) throw new Error('the plan does not merge: the dispatch that does is not measured');
  return garbage(() => bound.record(pass, plan));
}

async function append(pages: { pageSize?: number }): Promise<number> {
  const capacity = ROUNDS * TIMES;
  const options = { numKvHeads: 1, headDim: 64, capacity, kType: 'int4', ...pages } as const;
  const cache = await createKvCache(device, options);
  const k = createStorage(device, 'k', 64 * 4);
  const v = createStorage(device, 'v', 64 * 4);
  const bound = await cache.bindAppend({ k, v });
  return garbage(() => bound.record(pass));
}

const kept: object[] = [{}];
const bytes = {
  step1: await step(1),
  step64: await step(64),
  append: await append({}),
  pagedAppend: await append({ pageSize: 256 }),
  smallObject: garbage(() => (kept[0] = { x: kept.length })),
};
console.log(JSON.stringify(bytes));
// Dawn ends badly with a device that is still open when the process goes on.
process.exit(0);

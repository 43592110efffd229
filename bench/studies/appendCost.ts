// appendCost.ts: what the dispatch of an append adds to a layer's step: the most that appending within the decode dispatch could save.
//
//   LP_NUM_THREADS=1 node scripts/runTs.mjs bench/studies/appendCost.ts [ADAPTER]
//
// By processor time of this process, for software adapters: rounds of steps alone, of appends and steps, and of appends that turn K and
// q too, in turn; the least of each, since whatever else runs only adds. 32/8/128, f16.
import {
  createDecoder,
  createKvCache,
  createRope,
  createStorage,
  openDevice,
  uploadStorage,
  type GqaDevice,
  type KvCache,
} from '../../src/index.ts';
import { nodeGpu } from '../../src/node.ts';
import { normals } from '../../src/numbers/random.ts';

const [HEADS, KV_HEADS, HEAD_DIM] = [32, 8, 128];
const DEPTHS = [16, 128, 1024, 4096];
const STEPS = 16; // of a round
const ROUNDS = 13;

type RecordStep = (pass: GPUComputePassEncoder) => void;

const [adapter] = process.argv.slice(2);
const found = await nodeGpu(adapter === undefined ? {} : { adapter });
const device = await openDevice(found.gpu);
process.stdout.write(
  `${found.adapterName}, us of processor time a step, ${ROUNDS} rounds of ${STEPS}, the least\n`,
);
for (const depth of DEPTHS) process.stdout.write(`${await lineOf(depth)}\n`);
device.destroy();

async function lineOf(depth: number): Promise<string> {
  const cache = await createKvCache(device, {
    numKvHeads: KV_HEADS,
    headDim: HEAD_DIM,
    capacity: depth + STEPS,
    kType: 'f16',
  });
  const ways = await waysOf(device, cache, depth);
  const times = ways.map(() => [] as number[]);
  for (let round = -2; round < ROUNDS; round++) {
    for (const [n, way] of ways.entries()) {
      const us = await processorUs(cache, depth, way);
      if (round >= 0) times[n]!.push(us);
    }
  }
  cache.destroy();
  const [step, appended, turned] = times.map((all) => Math.min(...all)) as [number, number, number];
  const more = (us: number) => `+${(us - step).toFixed(1)} (${((100 * (us - step)) / us).toFixed(1)} %)`;
  return `T ${depth}: step ${step.toFixed(1)}, append ${more(appended)}, append with RoPE of K and q ${more(turned)}`;
}

/** A step alone, after an append, and after one with rotary positions. */
async function waysOf(on: GqaDevice, cache: KvCache, depth: number): Promise<RecordStep[]> {
  const decoder = await createDecoder(on, { cache, numQHeads: HEADS });
  const row = (name: string, heads: number, seed: number) =>
    uploadStorage(on, name, normals(seed, heads * HEAD_DIM));
  const q = row('q', HEADS, 1);
  const rows = { k: row('k', KV_HEADS, 2), v: row('v', KV_HEADS, 3) };
  const [filledK, filledV] = [4, 5].map((seed) =>
    uploadStorage(on, 'filled', normals(seed, KV_HEADS * depth * HEAD_DIM)),
  );
  await cache.append({ k: filledK!, v: filledV!, numTokens: depth });
  const o = createStorage(on, 'o', HEADS * HEAD_DIM * 4);
  const step = await decoder.bind({ q, o });
  const rope = await createRope(on, { headDim: HEAD_DIM, positions: depth + STEPS });
  const plain = await cache.bindAppend(rows);
  const turned = await cache.bindAppend({ ...rows, rope, q, numQHeads: HEADS });
  const plan = decoder.plan({ kvLens: [depth] });
  return [
    (pass) => step.record(pass, plan),
    (pass) => {
      plain.record(pass);
      step.record(pass, plan);
    },
    (pass) => {
      turned.record(pass);
      step.record(pass, plan);
    },
  ];
}

async function processorUs(cache: KvCache, depth: number, record: RecordStep): Promise<number> {
  const { queue } = device.gpu;
  const encoder = device.gpu.createCommandEncoder();
  const pass = encoder.beginComputePass();
  for (let i = 0; i < STEPS; i++) record(pass);
  pass.end();
  const commands = encoder.finish();
  const start = process.cpuUsage();
  queue.submit([commands]);
  await queue.onSubmittedWorkDone();
  const { user, system } = process.cpuUsage(start);
  cache.truncate(depth);
  return (user + system) / STEPS;
}

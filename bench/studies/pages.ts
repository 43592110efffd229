// pages.ts: what a decode step over pages costs against one over contiguous slots.
//
//   LP_NUM_THREADS=1 node scripts/runTs.mjs bench/studies/pages.ts [ADAPTER] [ROW]
//
// By processor time of this process, for software adapters: samples of both in turn, and the median of their ratios. Pages lie as the
// cache takes them, for sequences that come whole or grow in turns, a page each; or shuffled, by a caller's table. With ROW, only
// rows whose name contains it, as 'int8' or '1 x 4096'.
import {
  createDecoder,
  createKvCache,
  createStorage,
  openDevice,
  uploadStorage,
  type CacheOptions,
  type KvCache,
  type KvType,
} from '../../src/index.ts';
import { nodeGpu } from '../../src/node.ts';
import { normals, shuffled, uniform } from '../../src/numbers/random.ts';
import { median } from '../schema/stats.ts';

const PAGE_SIZES = [8, 16, 32, 64, 128, 256];
const SAMPLES = 101;
const SAMPLE_US = 3_000; // within what a busy machine leaves a process at a time

type Shape = readonly [numQHeads: number, numKvHeads: number, headDim: number];
type Fill = 'whole' | 'in turns' | 'shuffled';

interface Row {
  readonly shape: Shape;
  readonly kvType: KvType;
  readonly batch: number;
  readonly tokens: number;
  readonly fill: Fill;
}

const SHAPES: readonly Shape[] = [
  [32, 8, 128],
  [8, 8, 64],
];
const FILLS: readonly Pick<Row, 'batch' | 'tokens' | 'fill'>[] = [
  { batch: 1, tokens: 1024, fill: 'whole' },
  { batch: 1, tokens: 4096, fill: 'whole' },
  { batch: 8, tokens: 1024, fill: 'whole' },
  { batch: 8, tokens: 1024, fill: 'in turns' },
  { batch: 1, tokens: 4096, fill: 'shuffled' },
];
const ROWS: readonly Row[] = SHAPES.flatMap((shape) =>
  (['f16', 'int8'] as const).flatMap((kvType) => FILLS.map((fill) => ({ shape, kvType, ...fill }))),
);

const nameOf = ({ shape, kvType, batch, tokens, fill }: Row) =>
  `${shape.join('/')} ${kvType}, ${batch} x ${tokens}, ${fill}`;

const [adapter, wanted = ''] = process.argv.slice(2);
const found = await nodeGpu(adapter === undefined ? {} : { adapter });
const device = await openDevice(found.gpu);
process.stdout.write(`${found.adapterName}, medians of ${SAMPLES} ratios\n\n`);
process.stdout.write(`| step | ${PAGE_SIZES.join(' | ')} |\n| ---${' | ---'.repeat(PAGE_SIZES.length)} |\n`);
for (const row of ROWS.filter((each) => nameOf(each).includes(wanted))) {
  process.stdout.write(`| ${nameOf(row)} |`);
  const contiguous = await stepsOf(row);
  for (const pageSize of PAGE_SIZES) {
    const paged = await stepsOf(row, pageSize);
    process.stdout.write(` ${(await ratio(paged, contiguous)).toFixed(2)} |`);
    paged.cache.destroy();
  }
  process.stdout.write('\n');
  contiguous.cache.destroy();
}
device.destroy();

/** A filled cache, and processor time of so many steps over it, in microseconds. */
interface Steps {
  readonly cache: KvCache;
  readonly time: (count: number) => Promise<number>;
}

async function stepsOf(row: Row, pageSize?: number): Promise<Steps> {
  const { shape, kvType, batch, tokens, fill } = row;
  const [numQHeads, numKvHeads, headDim] = shape;
  const isShuffled = pageSize !== undefined && fill === 'shuffled';
  const pool: Partial<CacheOptions> = {
    ...(pageSize && { pageSize }),
    ...(isShuffled && { pageTables: 'caller' }),
  };
  const cache = await createKvCache(device, {
    batch,
    numKvHeads,
    headDim,
    capacity: tokens,
    kType: kvType,
    ...pool,
  });
  if (isShuffled) setShuffled(cache, row);
  await fillUp(cache, row);
  const decoder = await createDecoder(device, { cache, numQHeads });
  const size = batch * numQHeads * headDim;
  const q = uploadStorage(device, 'q', normals(1, size));
  const step = await decoder.bind({ q, o: createStorage(device, 'o', size * 4) });
  const plan = decoder.plan({ kvLens: Array.from({ length: batch }, () => tokens) });
  const time = (count: number) =>
    processorUs((pass) => {
      for (let i = 0; i < count; i++) step.record(pass, plan);
    });
  return { cache, time };
}

/** A table of all of the cache's pages in any order, for tokens that are still to come. */
function setShuffled(cache: KvCache, { batch, tokens }: Row): void {
  const { pages = 0, pageSize = 1 } = cache.layout;
  const indices = shuffled(
    Array.from({ length: pages }, (_, page) => page),
    uniform(1),
  );
  const indptr = Array.from({ length: batch + 1 }, (_, b) => (b * pages) / batch);
  const each = (count: number) => Array.from({ length: batch }, () => count);
  cache.setPages({ indptr, indices, lastPageLen: each(pageSize) }, { newTokens: each(tokens) });
}

async function fillUp(cache: KvCache, { batch, tokens, fill }: Row): Promise<void> {
  const { numKvHeads, headDim, pageSize = tokens } = cache.layout;
  const numTokens = fill === 'in turns' ? pageSize : tokens;
  const rows = (name: string, seed: number) =>
    uploadStorage(device, name, normals(seed, batch * numKvHeads * numTokens * headDim));
  const [k, v] = [rows('k', 2), rows('v', 3)];
  for (let held = 0; held < tokens; held += numTokens) await cache.append({ k, v, numTokens });
  k.destroy();
  v.destroy();
}

async function ratio(paged: Steps, contiguous: Steps): Promise<number> {
  await paged.time(2);
  const count = Math.max(1, Math.round((4 * SAMPLE_US) / (await contiguous.time(4))));
  const ratios: number[] = [];
  for (let sample = 0; sample < SAMPLES; sample++) {
    const own = await paged.time(count);
    ratios.push(own / (await contiguous.time(count)));
  }
  return median(ratios);
}

async function processorUs(record: (pass: GPUComputePassEncoder) => void): Promise<number> {
  const { queue } = device.gpu;
  const encoder = device.gpu.createCommandEncoder();
  const pass = encoder.beginComputePass();
  record(pass);
  pass.end();
  const commands = encoder.finish();
  const start = process.cpuUsage();
  queue.submit([commands]);
  await queue.onSubmittedWorkDone();
  const { user, system } = process.cpuUsage(start);
  return user + system;
}

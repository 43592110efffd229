// products.ts: the rate at which a row times a matrix reads its weights, beside the read ceiling over as many bytes, in one run.
//
//   node scripts/runTs.mjs bench/studies/products.ts [ADAPTER] [TYPE,...] [INPUTSxOUTPUTS,...]
//
// Several matrices of a size are read in turn, so that together they exceed every cache. Both in turns, by the timer of the benchmark; medians of the
// ratios within a round and their 95 % intervals. Types without scales: f32, f16, bf16.
import { createStorage, openDevice, uploadStorage } from '../../src/index.ts';
import { createUniform, rangeOf } from '../../src/device/buffers.ts';
import { fullDescriptor } from '../../src/device/deviceRequest.ts';
import { bindKernel, dispatch, type BoundKernel } from '../../src/device/record.ts';
import { readStream } from '../../src/kernels/probe/readStream.ts';
import { product, productGrid, productNumbers } from '../../src/kernels/model/product.ts';
import { productVariants, tileOf } from '../../src/kernels/model/variants.ts';
import { tileBytes, tilesOf, type MatrixSizes, type WeightType } from '../../src/kernels/model/weightsLib.ts';
import { nodeGpu } from '../../src/node.ts';
import { normals } from '../../src/numbers/random.ts';
import { median, medianInterval } from '../schema/stats.ts';
import { PassTimer } from '../run/timer.ts';

const MIB = 2 ** 20;
const ROUNDS = 31;

/** All matrices of a size together. */
const ROTATED_BYTES = 256 * MIB;

/** What a round reads of each, about. */
const ROUND_BYTES = 128 * MIB;

/** Workgroups that read, as `gqa bench` tries them on software adapters: the best are the ceiling. */
const READERS = [8, 64, 256].flatMap((wgSize) => [64, 512].map((groups) => ({ wgSize, groups })));

const [adapter, types = 'f16', shapes = '2048x2048,1024x8192,4096x4096,4096x16384'] = process.argv.slice(2);
const found = await nodeGpu(adapter === undefined ? {} : { adapter });
const device = await openDevice(found.gpu, { descriptor: fullDescriptor });
const timer = new PassTimer(device);
await timer.calibrate();
process.stdout.write(`${found.adapterName}, ${timer.source}, ${ROUNDS} rounds in turn\n`);
for (const type of types.split(',') as WeightType[]) {
  for (const shape of shapes.split(',')) process.stdout.write(`${await lineOf(type, shape)}\n`);
}
timer.destroy();
device.destroy();

async function lineOf(type: WeightType, shape: string): Promise<string> {
  const [inputs, outputs] = shape.split('x').map(Number) as [number, number];
  const sizes: MatrixSizes = { type, inputs, outputs, matrices: 1, tile: tileOf(device.facts) };
  const { weights } = tileBytes(sizes);
  const bytes = weights * tilesOf(sizes);
  const matrices = Array.from({ length: Math.ceil(ROTATED_BYTES / bytes) }, (_, n) =>
    randomWeights(bytes, n),
  );
  const multiply = await multiplier(sizes, matrices);
  const readers = await Promise.all(READERS.map((reader) => readerOf(bytes, matrices, reader)));
  const steps = Math.max(1, Math.round(ROUND_BYTES / bytes));
  const timeOf = async (run: Run) => (await timer.time((pass) => run(pass, steps))).ns / steps;
  const taken: number[][] = [multiply, ...readers].map(() => []);
  for (let round = -1; round < ROUNDS; round++) {
    for (const [n, run] of [multiply, ...readers].entries()) {
      const ns = await timeOf(run);
      if (round >= 0) taken[n]!.push(ns);
    }
  }
  for (const matrix of matrices) matrix.destroy();
  const [products, ...reads] = taken as [number[], ...number[][]];
  const best = reads.toSorted((a, b) => median(a) - median(b))[0]!;
  const ratios = products.map((ns, round) => best[round]! / ns);
  const [low, high] = medianInterval(ratios)!;
  const rate = (samples: readonly number[]) => (bytes / median(samples)).toFixed(2);
  const share = `${median(ratios).toFixed(2)} [${low.toFixed(2)}, ${high.toFixed(2)}]`;
  return `${type} ${shape}, ${(bytes / MIB).toFixed(0)} MiB: ${rate(products)} GB/s, ceiling ${rate(best)}, share ${share}`;
}

type Run = (pass: GPUComputePassEncoder, steps: number) => void;

/** Runs kernels in turn, from where it stopped. */
function inTurn(bound: readonly BoundKernel[], grid: readonly [number, number, number]): Run {
  let turn = 0;
  return (pass, steps) => {
    for (let i = 0; i < steps; i++) dispatch(pass, bound[turn++ % bound.length]!, grid);
  };
}

async function multiplier(sizes: MatrixSizes, matrices: readonly GPUBuffer[]): Promise<Run> {
  const { inputs, outputs } = sizes;
  const variant = productVariants(device.facts, 1).one;
  const form = { bias: false, results: 'sums', writes: 'set', fixedRows: true } as const;
  const kernel = await device.pipelines.get(
    product(sizes, form, variant, { inputStride: inputs, stride: outputs }),
  );
  const words = productNumbers(sizes, { first: 0, width: inputs, eps: 0, scale: 1, softcap: 1, rows: 1 });
  const common = {
    x: rangeOf('x', uploadStorage(device, 'x', normals(3, inputs))),
    y: rangeOf('y', createStorage(device, 'y', outputs * 4)),
    numbers: rangeOf('numbers', createUniform(device, 'numbers', words)),
  };
  const bound = matrices.map((matrix) =>
    bindKernel(device.gpu, kernel, { ...common, weights: rangeOf('weights', matrix) }),
  );
  return inTurn(bound, productGrid(tilesOf(sizes), 1, variant));
}

type Reader = (typeof READERS)[number];

async function readerOf(
  bytes: number,
  matrices: readonly GPUBuffer[],
  { wgSize, groups }: Reader,
): Promise<Run> {
  const kernel = await device.pipelines.get(readStream(bytes, wgSize));
  const sums = rangeOf('sums', createStorage(device, 'sums', groups * wgSize * 4));
  const bound = matrices.map((matrix) =>
    bindKernel(device.gpu, kernel, { source: rangeOf('source', matrix), sums }),
  );
  return inTurn(bound, [groups, 1, 1]);
}

/** Random bits that are finite numbers of moderate size, as f32 and as two halves of either kind. */
function randomWeights(bytes: number, seed: number): GPUBuffer {
  const buffer = createStorage(device, 'weights', bytes);
  const block = normals(seed + 1, Math.min(bytes, 4 * MIB) / 4);
  const words = new Uint32Array(block.buffer).map((word) => (word & 0xbfff_bfff) | 0x3000_3000);
  for (let at = 0; at < bytes; at += words.byteLength)
    device.gpu.queue.writeBuffer(buffer, at, words, 0, Math.min(words.byteLength, bytes - at) / 4);
  return buffer;
}

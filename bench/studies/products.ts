// products.ts: the rate at which a row times a matrix reads its weights, beside the read ceiling over as many bytes, in one run.
//
//   node scripts/runTs.mjs bench/studies/products.ts [ADAPTER] [TYPE,...] [INPUTSxOUTPUTS,...]
//
// Several matrices of a size are read in turn, so that together they exceed caches. Types without scales: f32, f16, bf16.
import { createStorage, openDevice, uploadStorage } from '../../src/index.ts';
import { createUniform, rangeOf } from '../../src/device/buffers.ts';
import { fullDescriptor } from '../../src/device/deviceRequest.ts';
import { bindKernel } from '../../src/device/record.ts';
import { product, productGrid, productNumbers } from '../../src/kernels/model/product.ts';
import { productVariants, tileOf } from '../../src/kernels/model/variants.ts';
import { tileBytes, tilesOf, type MatrixSizes, type WeightType } from '../../src/kernels/model/weightsLib.ts';
import { nodeGpu } from '../../src/node.ts';
import { normals } from '../../src/numbers/random.ts';
import { inTurn, MIB, randomWeights, shareOfCeiling, type Run } from './readTurns.ts';

/** All matrices of a size together. */
const ROTATED_BYTES = 256 * MIB;

/** What a sample reads, about. */
const SAMPLE_BYTES = 128 * MIB;

const [adapter, types = 'f16', shapes = '2048x2048,1024x8192,4096x4096,4096x16384'] = process.argv.slice(2);
const found = await nodeGpu(adapter === undefined ? {} : { adapter });
const device = await openDevice(found.gpu, { descriptor: fullDescriptor });
process.stdout.write(`${found.adapterName}\n`);
for (const type of types.split(',') as WeightType[]) {
  for (const shape of shapes.split(',')) process.stdout.write(`${await lineOf(type, shape)}\n`);
}
device.destroy();

async function lineOf(type: WeightType, shape: string): Promise<string> {
  const [inputs, outputs] = shape.split('x').map(Number) as [number, number];
  const sizes: MatrixSizes = { type, inputs, outputs, matrices: 1, tile: tileOf(device.facts) };
  const bytes = tileBytes(sizes).weights * tilesOf(sizes);
  const count = Math.ceil(ROTATED_BYTES / bytes);
  const matrices = Array.from({ length: count }, (_, n) => randomWeights(device, bytes, n + 1));
  const steps = Math.max(1, Math.round(SAMPLE_BYTES / bytes));
  const run = await multiplier(sizes, matrices);
  const share = await shareOfCeiling(device, run, { bytes, sources: matrices, steps });
  for (const matrix of matrices) matrix.destroy();
  return `${type} ${shape}, ${(bytes / MIB).toFixed(0)} MiB: ${share}`;
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

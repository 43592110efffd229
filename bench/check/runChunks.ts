// runChunks.ts: runs a problem step by step: as many query positions at a time as a step takes.
import { createStorage, writeData } from '../../src/device/buffers.ts';
import { ShapeError } from '../../src/device/errors.ts';
import {
  readBack,
  uploadStorage,
  type Decoder,
  type DecodeStep,
  type GqaDevice,
  type PlanOptions,
} from '../../src/index.ts';
import type { StoredProblem } from '../../src/reference/problem.ts';
import type { ProblemBias } from '../../src/reference/problemFeatures.ts';
import { chunkOf, copyPositions, type Chunk } from './chunks.ts';

type Floats = Float32Array<ArrayBuffer>;

/** o [B, Hq, Lq, Dv] and lse [B, Hq, Lq]. */
export interface RunOutput {
  readonly o: Floats;
  readonly lse: Floats;
}

/** What the steps of a problem have in common. */
interface Run {
  readonly device: GqaDevice;
  readonly decoder: Decoder;
  readonly problem: StoredProblem;
  readonly split: PlanOptions;
  readonly buffers: { readonly q: GPUBuffer; readonly o: GPUBuffer; readonly lse: GPUBuffer };
}

/** Runs a problem with a decoder of at most its query positions; what no step writes is NaN. Throws ShapeError for trees over several steps. */
export async function runChunks(
  device: GqaDevice,
  decoder: Decoder,
  problem: StoredProblem,
  split: PlanOptions,
): Promise<RunOutput> {
  const { batch, numQHeads, headDim, vHeadDim, qLen } = problem;
  const { rows, qLen: most } = decoder.shape;
  if (problem.features?.treeMasks && qLen > most) {
    throw new ShapeError(`run: qLen: expected at most ${most} positions with treeMasks, got ${qLen}`);
  }
  const heads = batch * numQHeads;
  const o = new Float32Array(heads * qLen * vHeadDim);
  const lse = new Float32Array(heads * qLen);
  const made: GPUBuffer[] = [];
  const storage = (label: string, dim: number): GPUBuffer => {
    const buffer = createStorage(device, label, rows * dim * 4);
    made.push(buffer);
    return buffer;
  };
  try {
    const buffers = { q: storage('q', headDim), o: storage('o', vHeadDim), lse: storage('lse', 1) };
    const run = { device, decoder, problem, split, buffers };
    for (let first = 0; first < qLen; first += most) {
      const chunk = chunkOf(problem, first, Math.min(most, qLen - first));
      const result = await runChunk(run, chunk);
      const { positions } = chunk;
      copyPositions(result.o, [heads, most, vHeadDim], 0, o, [qLen, first], positions);
      copyPositions(result.lse, [heads, most, 1], 0, lse, [qLen, first], positions);
    }
  } finally {
    for (const buffer of made) buffer.destroy();
  }
  return { o, lse };
}

async function runChunk({ device, decoder, problem, split, buffers }: Run, chunk: Chunk): Promise<RunOutput> {
  const { batch, numQHeads, headDim, vHeadDim, qLen, smScale, features } = problem;
  const { first, positions, kvLens, qLens } = chunk;
  const { rows, qLen: most } = decoder.shape;
  const write = (buffer: GPUBuffer, values: Floats) => writeData(device, { buffer, offset: 0 }, values);
  const q = new Float32Array(rows * headDim);
  copyPositions(problem.q, [batch * numQHeads, qLen, headDim], first, q, [most, 0], positions);
  write(buffers.q, q);
  write(buffers.o, new Float32Array(rows * vHeadDim).fill(NaN));
  write(buffers.lse, new Float32Array(rows).fill(NaN));
  const bias = features?.bias && biasOf(features.bias, chunk, most);
  const biasBuffer = bias && uploadStorage(device, 'bias', bias.values);
  try {
    const arg = bias && biasBuffer && { buffer: biasBuffer, shape: bias.shape };
    const step = await bind(decoder, problem, buffers, arg);
    const { treeMasks } = features ?? {};
    step.run(decoder.plan({ ...split, kvLens, qLens, smScale, ...(treeMasks && { treeMasks }) }));
    return {
      o: new Float32Array(await readBack(device, buffers.o)),
      lse: new Float32Array(await readBack(device, buffers.lse)),
    };
  } finally {
    biasBuffer?.destroy();
  }
}

function bind(
  decoder: Decoder,
  { features: { sinkLogits, alibiSlopes } = {} }: StoredProblem,
  buffers: Run['buffers'],
  bias: { readonly buffer: GPUBuffer; readonly shape: ProblemBias['shape'] } | undefined,
): Promise<DecodeStep> {
  return decoder.bind({
    ...buffers,
    ...(sinkLogits && { sinkLogits }),
    ...(alibiSlopes && { alibiSlopes }),
    ...(bias && { bias }),
  });
}

/** The part of a bias that a chunk's positions have, with room for `most` of them. */
function biasOf({ shape, values }: ProblemBias, { first, positions }: Chunk, most: number): ProblemBias {
  const [batch, heads, rows, keys] = shape;
  if (rows === 1 || rows === most) return { shape, values };
  const part = new Float32Array(batch * heads * most * keys);
  copyPositions(values, [batch * heads, rows, keys], first, part, [most, 0], positions);
  return { shape: [batch, heads, most, keys], values: part };
}

// ceiling.ts: the fastest this device reads memory, measured in the same run as what is held against it.
import { createStorage, type GqaDevice } from '../../src/index.ts';
import { rangeOf } from '../../src/device/buffers.ts';
import { bindKernel, dispatch } from '../../src/device/record.ts';
import { readStream } from '../../src/kernels/probe/readStream.ts';
import { normals } from '../../src/numbers/random.ts';
import { growSteps, sampleSpan } from './sampling.ts';
import type { CeilingContext } from '../schema/schema.ts';
import type { PassTimer } from './timer.ts';

const MIB = 2 ** 20;

/** Samples of a size and count: the most, and the fewest, after which a clearly slower one is given up. */
const SAMPLES = { most: 9, least: 3 };
/** For all of them together; the fewest samples of each are taken at any rate. */
const BUDGET_MS = 2000;

/** Below this share of the best so far more samples would not make a size and count the best. */
const CLEARLY_SLOWER = 0.8;

/** Workgroup sizes and counts that are tried. */
const SIZES = { gpu: [64, 256], software: [8, 64, 256] };
const GROUPS = { gpu: [1024, 4096, 16384], software: [64, 512] };

/**
 * Reads buffers with several workgroup sizes and counts, and keeps the best. Each is as large as one binding may be, at most
 * a gigabyte, and there are so many that together they exceed `rotatedBytes` and are read in turn. An abort leaves it at the
 * best so far, of one at least: it comes when rows that were timed wait for it.
 */
export async function measureCeiling(
  device: GqaDevice,
  timer: PassTimer,
  rotatedBytes: number,
  signal?: AbortSignal,
): Promise<CeilingContext> {
  const { software, maxBindingBytes } = device.facts;
  const wanted = Math.min(software ? rotatedBytes : 1024 * MIB, maxBindingBytes);
  const bytes = wanted - (wanted % 256);
  const sources: GPUBuffer[] = [];
  try {
    for (let total = 0; total < rotatedBytes; total += bytes) sources.push(filled(device, bytes));
    let best: CeilingContext | undefined;
    const kind = software ? 'software' : 'gpu';
    const shapes = SIZES[kind].flatMap((wgSize) => GROUPS[kind].map((groups) => ({ wgSize, groups })));
    for (const shape of shapes) {
      if (best && signal?.aborted) break;
      const bar = { readGBps: best?.readGBps ?? 0, mostMs: BUDGET_MS / shapes.length };
      const candidate = await readRate(device, timer, sources, { ...shape, ...bar });
      if (!best || candidate.readGBps > best.readGBps) best = candidate;
    }
    return best!;
  } finally {
    for (const source of sources) source.destroy();
  }
}

/** A workgroup size and count, the rate that it has to beat, and the time for it. */
interface Trial {
  readonly wgSize: number;
  readonly groups: number;
  readonly readGBps: number;
  readonly mostMs: number;
}

async function readRate(
  device: GqaDevice,
  timer: PassTimer,
  sources: readonly GPUBuffer[],
  { wgSize, groups, readGBps: best, mostMs }: Trial,
): Promise<CeilingContext> {
  const bytes = sources[0]!.size;
  const sums = createStorage(device, 'read sums', groups * wgSize * 4);
  try {
    const compiled = await device.pipelines.get(readStream(bytes, wgSize));
    const bound = sources.map((source) =>
      bindKernel(device.gpu, compiled, { source: rangeOf('source', source), sums: rangeOf('sums', sums) }),
    );
    let turn = 0;
    const time = async (reads: number) => {
      const { ns } = await timer.time((pass) => {
        for (let i = 0; i < reads; i++) dispatch(pass, bound[turn++ % bound.length]!, [groups, 1, 1]);
      });
      return ns;
    };
    await time(1); // some drivers compile at the first dispatch
    const reads = await growSteps(sampleSpan(device, timer), time);
    // The best of a few: a ceiling is what the device can do, and noise only ever takes from it.
    const rateOf = (samplesNs: readonly number[]) => bytes / Math.max(1, Math.min(...samplesNs));
    const samplesNs: number[] = [];
    const start = performance.now();
    while (samplesNs.length < SAMPLES.most) {
      samplesNs.push((await time(reads)) / reads);
      if (samplesNs.length < SAMPLES.least) continue;
      if (rateOf(samplesNs) < CLEARLY_SLOWER * best || performance.now() - start > mostMs) break;
    }
    const readGBps = rateOf(samplesNs);
    return { readGBps, bytes, wgSize, groups, samplesNs };
  } finally {
    sums.destroy();
  }
}

/** A buffer of random bytes: constant memory would let some devices compress it. */
function filled(device: GqaDevice, bytes: number): GPUBuffer {
  const buffer = createStorage(device, 'read ceiling', bytes);
  const block = normals(7, Math.min(bytes, 4 * MIB) / 4);
  for (let at = 0; at < bytes; at += block.byteLength) {
    device.gpu.queue.writeBuffer(buffer, at, block, 0, Math.min(block.byteLength, bytes - at) / 4);
  }
  return buffer;
}

// readTurns.ts: work that reads memory, timed in turns with kernels that do nothing but read as many bytes: what share of the read ceiling it reaches.
import { createStorage, type GqaDevice } from '../../src/index.ts';
import { rangeOf } from '../../src/device/buffers.ts';
import { bindKernel, dispatch, type BoundKernel } from '../../src/device/record.ts';
import { readStream } from '../../src/kernels/probe/readStream.ts';
import { normals } from '../../src/numbers/random.ts';
import { PassTimer } from '../run/timer.ts';
import { median, medianInterval } from '../schema/stats.ts';

export const MIB = 2 ** 20;
const ROUNDS = 31;

/** Workgroups that read, as `gqa bench` tries them on software adapters: the best are the ceiling. */
const READERS = [8, 64, 256].flatMap((wgSize) => [64, 512].map((groups) => ({ wgSize, groups })));

/** Records so many steps. */
export type Run = (pass: GPUComputePassEncoder, steps: number) => void;

/** Runs kernels in turn, from where it stopped. */
export function inTurn(bound: readonly BoundKernel[], grid: readonly [number, number, number]): Run {
  let turn = 0;
  return (pass, steps) => {
    for (let i = 0; i < steps; i++) dispatch(pass, bound[turn++ % bound.length]!, grid);
  };
}

/** A buffer of random bits that are finite numbers of moderate size, as f32 and as two halves of either kind. */
export function randomWeights(device: GqaDevice, bytes: number, seed: number): GPUBuffer {
  const buffer = createStorage(device, 'weights', bytes);
  const block = normals(seed, Math.min(bytes, 4 * MIB) / 4);
  const words = new Uint32Array(block.buffer).map((word) => (word & 0xbfff_bfff) | 0x3000_3000);
  for (let at = 0; at < bytes; at += words.byteLength)
    device.gpu.queue.writeBuffer(buffer, at, words, 0, Math.min(words.byteLength, bytes - at) / 4);
  return buffer;
}

/** Times `run`, a step of which reads `bytes`, in turns with reads of `sources` of that size; says both rates, and the share. */
export async function shareOfCeiling(
  device: GqaDevice,
  run: Run,
  { bytes, sources, steps }: { bytes: number; sources: readonly GPUBuffer[]; steps: number },
): Promise<string> {
  const timer = new PassTimer(device);
  await timer.calibrate();
  const sums = createStorage(device, 'sums', Math.max(...READERS.map((r) => r.groups * r.wgSize)) * 4);
  const runs = [run];
  for (const { wgSize, groups } of READERS) {
    const kernel = await device.pipelines.get(readStream(bytes, wgSize));
    const bound = sources.map((source) =>
      bindKernel(device.gpu, kernel, { source: rangeOf('source', source), sums: rangeOf('sums', sums) }),
    );
    runs.push(inTurn(bound, [groups, 1, 1]));
  }
  const taken = runs.map((): number[] => []);
  for (let round = -1; round < ROUNDS; round++) {
    for (const [n, each] of runs.entries()) {
      const { ns } = await timer.time((pass) => each(pass, steps));
      if (round >= 0) taken[n]!.push(ns / steps); // the first of each may compile
    }
  }
  sums.destroy();
  const text = shareText(bytes, taken as [number[], ...number[][]]);
  const by = timer.source;
  timer.destroy();
  return `${text} (${by}, ${ROUNDS} rounds)`;
}

function shareText(bytes: number, [own, ...reads]: readonly [number[], ...number[][]]): string {
  const best = reads.toSorted((a, b) => median(a) - median(b))[0]!;
  const ratios = own.map((ns, round) => best[round]! / ns);
  const [low, high] = medianInterval(ratios)!;
  const rate = (samples: readonly number[]) => (bytes / median(samples)).toFixed(2);
  const ofShortest = (Math.min(...reads.flat()) / Math.min(...own)).toFixed(2);
  const share = `${median(ratios).toFixed(2)} [${low.toFixed(2)}, ${high.toFixed(2)}]`;
  return `${rate(own)} GB/s, ceiling ${rate(best)}, share ${share}, of the shortest ${ofShortest}`;
}

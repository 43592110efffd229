// coldCaches.ts: how much is read in turn so that the last-level cache does not help, and what a machine bears of it.

const MIB = 2 ** 20;

/**
 * What the caches read in turn have to exceed for a row to be cold: twice the last-level cache where its size is known;
 * else 256 MiB, beyond that of all but the largest GPUs, or 64 MiB for an unknown CPU behind a software adapter.
 */
export function coldBytesOf(software: boolean, lastLevelCacheBytes?: number): number {
  if (lastLevelCacheBytes !== undefined) return 2 * lastLevelCacheBytes;
  return (software ? 64 : 256) * MIB;
}

/**
 * What is read in turn at most. A GPU reads a gigabyte in milliseconds. A software adapter takes it from the memory and the
 * time of the machine that it runs on, once for each row, and computes for longer than it reads: on lavapipe, on two cores
 * with 32 MiB of cache, MHA of 32 heads at 1,024 tokens took 4.3 to 4.6 ms (best of 15) over 2 and over 16 MiB, 4.6 to
 * 4.7 ms over 64 and over 256 MiB.
 */
const MOST_ROTATED = { gpu: 1024 * MIB, software: 256 * MIB };

/** What the copies of a row's caches are made to exceed: `coldBytes`, or what the machine bears, and the row is then not cold. */
export function rotatedBytesOf(software: boolean, coldBytes: number): number {
  return Math.min(coldBytes, MOST_ROTATED[software ? 'software' : 'gpu']);
}

/**
 * Steps bound in a run. A driver may map memory for each bind group of each (lavapipe does, two or three for a step) and
 * gives it back when the collector has taken the step, which may be never. Linux allows a process 65,530 maps.
 */
const MOST_STEPS = 8192;

/** Most copies of a cache, each a bound step, for so many kernels on their shapes. */
export function copiesPerKernel(kernels: number): number {
  return Math.max(1, Math.floor(MOST_STEPS / kernels));
}

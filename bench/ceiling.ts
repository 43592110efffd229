// ceiling.ts: the fastest this device reads memory, measured in the same run as what is held against it.
import { createStorage, type GqaDevice } from '../src/index.ts';
import { rangeOf } from '../src/device/buffers.ts';
import { bindKernel, dispatch } from '../src/device/record.ts';
import { readStream } from '../src/kernels/readStream.ts';
import { normals } from './random.ts';
import type { CeilingContext } from './schema.ts';
import type { PassTimer } from './timer.ts';

const MIB = 2 ** 20;
const SAMPLES = 9;
const WARM_UP = 2;

/**
 * Reads a buffer larger than last-level caches with several workgroup sizes and counts, and keeps the best median.
 * Software adapters read 64 MiB: their caches are a CPU's.
 */
export async function measureCeiling(device: GqaDevice, timer: PassTimer): Promise<CeilingContext> {
  const bytes = Math.min(device.facts.software ? 64 * MIB : 1024 * MIB, device.facts.maxBindingBytes);
  const whole = bytes - (bytes % 256);
  const source = createStorage(device, 'read ceiling', whole);
  try {
    fill(device, source);
    let best: CeilingContext | undefined;
    for (const wgSize of [64, 256]) {
      for (const groups of device.facts.software ? [64, 512] : [1024, 4096, 16384]) {
        const candidate = await readRate(device, timer, source, wgSize, groups);
        if (!best || candidate.readGBps > best.readGBps) best = candidate;
      }
    }
    return best!;
  } finally {
    source.destroy();
  }
}

async function readRate(
  device: GqaDevice,
  timer: PassTimer,
  source: GPUBuffer,
  wgSize: number,
  groups: number,
) {
  const sums = createStorage(device, 'read sums', groups * wgSize * 4);
  try {
    const compiled = await device.pipelines.get(readStream(source.size, wgSize));
    const bound = bindKernel(device.device, compiled, {
      source: rangeOf(source),
      sums: rangeOf(sums),
    });
    const samplesNs: number[] = [];
    for (let i = 0; i < WARM_UP + SAMPLES; i++) {
      const { ns } = await timer.time((pass) => dispatch(pass, bound, [groups, 1, 1]));
      if (i >= WARM_UP) samplesNs.push(ns);
    }
    // The best of a few: a ceiling is what the device can do, and noise only ever takes from it.
    const readGBps = source.size / Math.max(1, Math.min(...samplesNs));
    return { readGBps, bytes: source.size, wgSize, groups, samplesNs };
  } finally {
    sums.destroy();
  }
}

/** Random bytes everywhere: constant memory would let some devices compress it. */
function fill(device: GqaDevice, buffer: GPUBuffer): void {
  const block = normals(7, Math.min(buffer.size, 4 * MIB) / 4);
  for (let at = 0; at < buffer.size; at += block.byteLength) {
    device.device.queue.writeBuffer(buffer, at, block, 0, Math.min(block.byteLength, buffer.size - at) / 4);
  }
}

// readStream.ts: the read ceiling's kernel (shaders/probe/read_stream.wgsl).
import source from '../../../shaders/probe/read_stream.wgsl?raw';
import { link } from '../../device/wgsl.ts';
import type { Kernel } from '../kernel.ts';

/** Vectors that an invocation asks for at once. */
const LOADS = 4;

/** Reads `bytes` (a multiple of 16) once, with `wgSize` invocations per workgroup. Grid: [groups, 1, 1]. */
export function readStream(bytes: number, wgSize: number): Kernel {
  const consts = { NUM_VECTORS: bytes / 16, WG_SIZE: wgSize, LOADS };
  return { name: 'read_stream', source: link({ kernel: source, libs: [], consts }) };
}

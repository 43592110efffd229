// borrowDevice.mjs: attention on a GPUDevice that your program has already, and that lives on afterwards.
//
//   node examples/borrowDevice.mjs     or: deno run -A, bun
import {
  borrowDevice,
  createDecoder,
  createKvCache,
  createStorage,
  deviceDescriptor,
  uploadStorage,
} from 'gqa-webgpu';
import { expect64, randomProblem, verify } from 'gqa-webgpu/reference';
import { gpu } from './gpu.mjs';

const adapter = await gpu.requestAdapter();
if (!adapter) throw new Error('there is no WebGPU adapter');

// The library says what the shape needs of a device; you ask for that and for what your own work needs. Without large workgroups and
// subgroups it would be as right, and slower. Without large bindings a long cache would be refused, with both numbers.
const cacheShape = /** @type {const} */ ({ numKvHeads: 2, headDim: 64, capacity: 1024, kType: 'f16' });
const needed = deviceDescriptor(adapter, { ...cacheShape, numQHeads: 8 });
const mine = await adapter.requestDevice({
  label: 'mine',
  requiredFeatures: needed.requiredFeatures, // add yours: [...needed.requiredFeatures, 'timestamp-query']
  requiredLimits: needed.requiredLimits,
});
// What WebGPU reports of a borrowed device goes to its owner, also where the library's work caused it.
mine.addEventListener('uncapturederror', ({ error }) => console.error(error.message));

const device = borrowDevice(mine, gpu.wgslLanguageFeatures);
const cache = await createKvCache(device, cacheShape);
const decoder = await createDecoder(device, { cache, numQHeads: 8 });

// A cache of 700 tokens and the query of one more position: random, and known to float64 as well.
const problem = randomProblem({ ...cacheShape, numQHeads: 8, kvLens: [700] });
cache.load({ k: problem.kStored, v: problem.vStored, kvLens: problem.kvLens });
const q = uploadStorage(device, 'q', problem.q); // [B, Hq, 1, D]
const o = createStorage(device, 'o', 8 * 64 * 4); // [B, Hq, 1, D]
const lse = createStorage(device, 'lse', 8 * 4); // [B, Hq, 1], optional: the log-sum-exp of each row
const step = await decoder.bind({ q, o, lse });
step.run(decoder.plan({ kvLens: problem.kvLens }));
await device.idle(); // throws what went wrong in what was submitted

// Only what the library made is freed: scratch memory, the cache, and the wrapper. The device and q, o and lse are yours.
decoder.destroy();
cache.destroy();
device.destroy();

// So your own code reads the result, with nothing but WebGPU.
const verdict = verify(expect64(problem), await read(o), await read(lse));
console.log(
  `${mine.label} lives on; largest error ${verdict.maxAbsErr.toExponential(1)}, allowed ${verdict.bound.toExponential(1)}`,
);
mine.destroy();
if (!verdict.pass) throw new Error(`wrong result at ${verdict.worst}`);

/** @param {GPUBuffer} buffer */
async function read(buffer) {
  const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
  const copy = mine.createBuffer({ size: buffer.size, usage });
  const encoder = mine.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, copy, 0, buffer.size);
  mine.queue.submit([encoder.finish()]);
  await copy.mapAsync(GPUMapMode.READ);
  return new Float32Array(copy.getMappedRange().slice());
}

// ownBuffers.mjs: buffers as your engine has them: a fused qkv, K and V kept as [tokens, Hkv, D], outputs inside a larger buffer.
//
//   node examples/ownBuffers.mjs     or: deno run -A, bun
//
// The cache itself is the library's, [Hkv, capacity, D] (HND), for its kernels read whole rows of a head. Rows come in from any strides,
// on the GPU, in one dispatch; q is read and o written where they lie.
import { createDecoder, createKvCache, createStorage, openDevice, readBack, uploadStorage } from 'gqa-webgpu';
import { expect64, randomProblem, verify } from 'gqa-webgpu/reference';
import { gpu } from './gpu.mjs';

const [Hq, Hkv, D, HELD] = [8, 2, 64, 500]; // HELD tokens lie in your K and V; one more is in qkv
const T = HELD + 1;
const device = await openDevice(gpu);
const problem = randomProblem({ numQHeads: Hq, numKvHeads: Hkv, headDim: D, kvLens: [T] });

// Yours: K and V of the tokens so far, [tokens, Hkv, D] (NHD); q, k and v of the new one, one behind the other; a buffer of 16 KiB
// that outputs go into. All are plain GPUBuffers of the device, made in any way, with the usage STORAGE.
const nhd = { layout: { position: Hkv * D, head: D } }; // elements to the next token, and to the next head; HND: position D, head T * D
const allK = tokensFirst(problem.k);
const allV = tokensFirst(problem.v);
const heldK = uploadStorage(device, 'held k', allK.subarray(0, HELD * Hkv * D));
const heldV = uploadStorage(device, 'held v', allV.subarray(0, HELD * Hkv * D));
const row = (Hq + 2 * Hkv) * D;
const fused = new Float32Array(row);
fused.set(problem.q);
fused.set(allK.subarray(HELD * Hkv * D), Hq * D);
fused.set(allV.subarray(HELD * Hkv * D), (Hq + Hkv) * D);
const qkv = uploadStorage(device, 'qkv', fused); // [tokens, (Hq + 2 Hkv) D]
const activations = createStorage(device, 'activations', 16 * 1024);
const lse = createStorage(device, 'lse', Hq * 4);

const cache = await createKvCache(device, { numKvHeads: Hkv, headDim: D, capacity: 1024 });
const inQkv = { position: row, head: D };
const decoder = await createDecoder(device, {
  cache,
  numQHeads: Hq,
  q: { layout: inQkv }, // q begins the row
  o: { layout: { position: Hq * D, head: D }, offset: 256 }, // elements, multiples of 4
});
// A part of a buffer is bound by { buffer, offset, size } in bytes, which WebGPU wants at multiples of 256; `offset` of the rows counts
// elements within it, and is for all other places.
const o = { buffer: activations, offset: 4096, size: 8192 };
const history = await cache.bindAppend({ k: heldK, v: heldV, kRows: nhd, vRows: nhd, numTokens: HELD });
const newToken = await cache.bindAppend({
  k: qkv,
  v: qkv,
  kRows: { layout: inQkv, offset: Hq * D },
  vRows: { layout: inQkv, offset: (Hq + Hkv) * D },
});
const step = await decoder.bind({ q: qkv, o, lse });

const encoder = device.gpu.createCommandEncoder();
const pass = encoder.beginComputePass();
history.record(pass);
newToken.record(pass);
step.record(pass, decoder.plan({ kvLens: [T] }));
pass.end();
device.gpu.queue.submit([encoder.finish()]);
await device.idle(); // throws what went wrong in what was submitted

// Bytes 4096 on, and 256 elements more: where the output was asked for. All else of your buffer is as it was.
const all = new Float32Array(await readBack(device, activations));
const from = 4096 / 4 + 256;
const output = all.slice(from, from + Hq * D);
const others = [...all.subarray(0, from), ...all.subarray(from + Hq * D)];
const verdict = verify(expect64(problem), output, new Float32Array(await readBack(device, lse)));
console.log(`${cache.kvLens()[0]} tokens from strided rows into a cache of ${cache.layout.totalBytes} bytes`);
console.log(
  `largest error ${verdict.maxAbsErr.toExponential(1)}, allowed ${verdict.bound.toExponential(1)}; all other bytes untouched: ${others.every((x) => x === 0)}`,
);
device.destroy();
if (!verdict.pass || others.some((x) => x !== 0)) throw new Error(`wrong result at ${verdict.worst}`);

/** [Hkv, T, D] as [T, Hkv, D]. */
function tokensFirst(/** @type {Float32Array} */ rows) {
  const turned = new Float32Array(rows.length);
  for (let hk = 0; hk < Hkv; hk++) {
    for (let t = 0; t < T; t++) {
      turned.set(rows.subarray((hk * T + t) * D, (hk * T + t + 1) * D), (t * Hkv + hk) * D);
    }
  }
  return turned;
}

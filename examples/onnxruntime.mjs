// onnxruntime.mjs: attention beside onnxruntime-web, on its device: its output is a step's input, and the step's output its input.
//
//   deno run -A examples/onnxruntime.mjs     or: bun; needs npm install --no-save onnxruntime-web@1.30.0
//
// onnxruntime-web 1.30.0 opens a device of its own, whatever env.webgpu.device was set to (microsoft/onnxruntime#26107), and refuses
// buffers of another one. So it goes first, and the library borrows the device that it opened. It does not run in Node: it uploads from
// memory that threads share, which Dawn's binding for Node does not take.
import {
  borrowDevice,
  createDecoder,
  createKvCache,
  createStorage,
  readBack,
  uploadStorage,
} from 'gqa-webgpu';
import { expect64, storeProblem, verify } from 'gqa-webgpu/reference';
import { gpu } from './gpu.mjs';

// It takes navigator.gpu. Browsers and Deno have it; in Bun it is Dawn's from here on.
if (!navigator.gpu) Object.defineProperty(navigator, 'gpu', { value: gpu });
const { default: ort } = await import('onnxruntime-web/webgpu');
ort.env.wasm.numThreads = 1;

// A product of two matrices, c = a b, stands for your model: before attention x -> q, k, v; behind it o -> y. The device is there as
// soon as a session is, and goes with the last one.
const model = new Uint8Array(await (await fetch(new URL('product.onnx', import.meta.url))).arrayBuffer());
const session = await ort.InferenceSession.create(model, { executionProviders: ['webgpu'] });
const device = borrowDevice(await ort.env.webgpu.device, gpu.wgslLanguageFeatures);

const [Hq, Hkv, D, TOKENS] = [4, 2, 64, 8];
const [hidden, row] = [Hq * D, (Hq + 2 * Hkv) * D];
const weights = Float32Array.from({ length: hidden * row }, () => Math.random() - 0.5);
const backwards = Float32Array.from({ length: hidden * hidden }, (_, i) =>
  Math.floor(i / hidden) + (i % hidden) === hidden - 1 ? 1 : 0,
);

// Buffers that both sides use, of sizes that are multiples of 16 bytes, as onnxruntime-web wants them. It never frees these, and they
// are bound once. The `gpuBuffer` of a tensor that it allocated does as well, but may be another one after each run.
const x = createStorage(device, 'x', hidden * 4);
const qkv = createStorage(device, 'qkv', row * 4);
const o = createStorage(device, 'o', hidden * 4);
const lse = createStorage(device, 'lse', Hq * 4);
const y = createStorage(device, 'y', hidden * 4);
const tensor = (/** @type {GPUBuffer} */ buffer, /** @type {number[]} */ dims) =>
  ort.Tensor.fromGpuBuffer(buffer, { dataType: 'float32', dims });
const before = {
  a: tensor(x, [1, hidden]),
  b: tensor(uploadStorage(device, 'weights', weights), [hidden, row]),
};
const behind = {
  a: tensor(o, [1, hidden]),
  b: tensor(uploadStorage(device, 'backwards', backwards), [hidden, hidden]),
};

// q, k and v are parts of its output row, so nothing is copied: strides and offsets in elements say where they lie.
const inRow = { position: row, head: D };
const cache = await createKvCache(device, { numKvHeads: Hkv, headDim: D, capacity: TOKENS });
const decoder = await createDecoder(device, { cache, numQHeads: Hq, q: { layout: inRow } });
const append = await cache.bindAppend({
  k: qkv,
  v: qkv,
  kRows: { layout: inRow, offset: Hq * D },
  vRows: { layout: inRow, offset: (Hq + Hkv) * D },
});
const step = await decoder.bind({ q: qkv, o, lse });

/** What it computed for each token, to check the step by. @type {Float32Array[]} */
const rows = [];
for (let token = 0; token < TOKENS; token++) {
  const embedding = Float32Array.from({ length: hidden }, () => Math.random() - 0.5);
  device.gpu.queue.writeBuffer(x, 0, embedding);
  // What `run` submits and what is submitted here go through one queue, in this order.
  await session.run(before, { c: tensor(qkv, [1, row]) });
  const encoder = device.gpu.createCommandEncoder();
  append.record(encoder);
  step.record(encoder, decoder.plan({ kvLens: [token + 1] }));
  device.gpu.queue.submit([encoder.finish()]);
  await session.run(behind, { c: tensor(y, [1, hidden]) });
  rows.push(await floats(qkv)); // not of a real loop: reading back waits for the device
}
await device.idle();

// The step against float64, for the q, K and V that onnxruntime-web gave; and its product, which turns the output round, to the bit.
const part = (/** @type {number} */ first, /** @type {number} */ heads) =>
  Float32Array.from({ length: heads * TOKENS * D }, (_, i) => {
    const [head, token] = [Math.floor(i / D / TOKENS), Math.floor(i / D) % TOKENS];
    return rows[token]?.[(first + head) * D + (i % D)] ?? NaN;
  });
const problem = storeProblem({
  numQHeads: Hq,
  numKvHeads: Hkv,
  headDim: D,
  kvLens: [TOKENS],
  q: (rows.at(-1) ?? new Float32Array()).slice(0, hidden),
  k: part(Hq, Hkv),
  v: part(Hq + Hkv, Hkv),
});
const output = await floats(o);
const verdict = verify(expect64(problem), output, await floats(lse));
const same = (await floats(y)).every((value, i) => value === output[hidden - 1 - i]);
console.log(
  `${TOKENS} tokens; largest error ${verdict.maxAbsErr.toExponential(1)}, allowed ${verdict.bound.toExponential(1)}; onnxruntime-web read the step's output: ${same}`,
);
device.destroy(); // the wrapper: the device is onnxruntime-web's
await session.release();
if (!verdict.pass || !same) throw new Error(`wrong result at ${verdict.worst}`);

async function floats(/** @type {GPUBuffer} */ buffer) {
  return new Float32Array(await readBack(device, buffer));
}

// ownEncoder.mjs: a token through many layers, recorded into your own pass between your own dispatches, and one submission.
//
//   node examples/ownEncoder.mjs     or: deno run -A, bun
import { createDecoder, createKvCache, createStorage, openDevice, readBack, uploadStorage } from 'gqa-webgpu';
import { expect64, randomProblem, storeProblem } from 'gqa-webgpu/reference';
import { gpu } from './gpu.mjs';

const [LAYERS, Hq, Hkv, D, T] = [16, 8, 2, 64, 300]; // T keys: those of the cache, and the new token's
const device = await openDevice(gpu);
const cacheShape = { numKvHeads: Hkv, headDim: D, capacity: T };
const cache = await createKvCache(device, { ...cacheShape, layers: LAYERS });
const decoder = await createDecoder(device, { cache, numQHeads: Hq });

// Each layer holds T - 1 tokens. The slot of the new one is NaN, so that an append that did not happen would show.
const layers = Array.from({ length: LAYERS }, (_, layer) => {
  const held = randomProblem({ ...cacheShape, numQHeads: Hq, kvLens: [T - 1], seed: 10 * layer });
  cache.load({ layer, k: held.kStored, v: held.vStored, kvLens: held.kvLens });
  return { held, newK: randomRow(Hkv * D), newV: randomRow(Hkv * D) };
});

// Your side: the residual stream, and a kernel that adds each layer's output to it.
const o = createStorage(device, 'o', Hq * D * 4); // one for all layers
const residual = createStorage(device, 'residual', Hq * D * 4);
const module = device.gpu.createShaderModule({
  code: `
    @group(0) @binding(0) var<storage, read> o: array<f32>;
    @group(0) @binding(1) var<storage, read_write> residual: array<f32>;
    @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
      if (id.x < arrayLength(&residual)) { residual[id.x] += o[id.x]; }
    }`,
});
const add = await device.gpu.createComputePipelineAsync({ layout: 'auto', compute: { module } });
const added = device.gpu.createBindGroup({
  layout: add.getBindGroupLayout(0),
  entries: [o, residual].map((buffer, binding) => ({ binding, resource: { buffer } })),
});

// Bound once. From here on a token creates no GPU object.
const appends = await cache.bindAppends(
  layers.map(({ newK, newV }) => ({
    k: uploadStorage(device, 'k', newK), // [B, Hkv, 1, D]
    v: uploadStorage(device, 'v', newV),
  })),
);
const steps = await decoder.bindLayers(
  layers.map(({ held }) => ({ q: uploadStorage(device, 'q', held.q), o })),
);

// A token: one plan for all layers, one pass, one submission. Dispatches of a pass run in order, and each sees what those before it
// wrote. The library sets its own pipelines and bind groups, so set yours again after it.
const plan = decoder.plan({ kvLens: [T] });
const encoder = device.gpu.createCommandEncoder();
const pass = encoder.beginComputePass();
for (const [layer, step] of steps.entries()) {
  appends[layer]?.record(pass);
  step.record(pass, plan);
  pass.setPipeline(add);
  pass.setBindGroup(0, added);
  pass.dispatchWorkgroups(Math.ceil((Hq * D) / 64));
}
pass.end();
device.gpu.queue.submit([encoder.finish()]);
await device.idle(); // throws what went wrong in what was submitted

// The sum of all layers' outputs against float64: each output may be off by its bound, each addition by half a unit of f32.
const sum = new Float32Array(await readBack(device, residual));
const expected = new Float64Array(sum.length);
let allowed = 0;
for (const { held, newK, newV } of layers) {
  const whole = { ...held, kvLens: [T], k: withLast(held.k, newK), v: withLast(held.v, newV) };
  const { truth, bound } = expect64(storeProblem(whole));
  for (const [i, x] of truth.o.entries()) expected[i] = x + (expected[i] ?? 0);
  allowed += bound + Math.max(...expected.map(Math.abs)) * 2 ** -24;
}
const error = Math.max(...sum.map((x, i) => Math.abs(x - (expected[i] ?? NaN))));
console.log(`${LAYERS} layers in one submission, each holds ${cache.kvLens(LAYERS - 1)[0]} tokens`);
console.log(`largest error of their sum ${error.toExponential(1)}, allowed ${allowed.toExponential(1)}`);
device.destroy();
if (!(error <= allowed)) throw new Error('wrong result');

/** `rows` [Hkv, T, D] with the last token's in place. */
function withLast(/** @type {Float32Array<ArrayBuffer>} */ rows, /** @type {Float32Array} */ last) {
  const all = rows.slice();
  for (let hk = 0; hk < Hkv; hk++) all.set(last.subarray(hk * D, (hk + 1) * D), ((hk + 1) * T - 1) * D);
  return all;
}

function randomRow(/** @type {number} */ length) {
  return Float32Array.from({ length }, () => Math.random() - 0.5);
}

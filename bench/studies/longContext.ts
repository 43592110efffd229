// longContext.ts: decodes one token over a million, from pages of an int8 MQA cache on WebGPU's guaranteed limits, and holds every
// output against float64.
//
//   npm run bench:long -- [--tokens 1048576] [--head-dim 64] [--heads 8] [--page-size 256] [--kv-dtype int8]
//
// Each query head has a key of its own that outweighs all others together, at the ends of pages and of the cache: a page that is
// read in place of another one shows.
import { parseArgs } from 'node:util';
import {
  createDecoder,
  createKvCache,
  decodeRows,
  deviceDescriptor,
  encodeRows,
  KV_TYPES,
  openDevice,
  readBack,
  type GqaDevice,
  type KvCache,
  uploadStorage,
} from '../../src/index.ts';
import { nodeGpu } from '../../src/node.ts';
import { uniform } from '../../src/numbers/random.ts';
import { expect64, verify } from '../../src/reference/verify.ts';
import { formatBytes } from '../text/format.ts';

const { values: given } = parseArgs({
  options: {
    tokens: { type: 'string', default: String(2 ** 20) },
    'head-dim': { type: 'string', default: '64' },
    heads: { type: 'string', default: '8' },
    'page-size': { type: 'string', default: '256' },
    'kv-dtype': { type: 'string', default: 'int8' },
  },
});
const [tokens, headDim, numQHeads, pageSize] = [
  Number(given.tokens),
  Number(given['head-dim']),
  Number(given.heads),
  Number(given['page-size']),
];
const kType = KV_TYPES.find((type) => type === given['kv-dtype']);
if (!kType) throw new Error(`--kv-dtype: expected one of ${KV_TYPES.join(', ')}, got ${given['kv-dtype']}`);

/** Most tokens of an append: a dispatch has no more workgroups. */
const CHUNK = 8192;

/** Numbers of mean 0 and variance 1. */
function noise(seed: number, count: number): Float32Array<ArrayBuffer> {
  const next = uniform(seed);
  return Float32Array.from({ length: count }, () => (next() - 0.5) * Math.sqrt(12));
}

const cacheOptions = { numKvHeads: 1, headDim, capacity: tokens, pageSize, kType };
const rows = { type: kType, headDim, heads: 1, capacity: tokens };

/** The token whose key a head's query is made of. */
const needles = Array.from(
  { length: numQHeads },
  (_, head) =>
    [0, tokens - 1, pageSize - 1, pageSize, Math.floor(tokens / 2), tokens - pageSize][head] ??
    Math.floor((tokens * (head - 5)) / numQHeads),
);

const timed = async <T>(name: string, act: () => T | Promise<T>): Promise<T> => {
  const start = performance.now();
  const result = await act();
  console.log(`${name.padEnd(44)} ${((performance.now() - start) / 1000).toFixed(2)} s`);
  return result;
};

async function fill(device: GqaDevice, cache: KvCache, k: Float32Array, v: Float32Array): Promise<void> {
  for (let first = 0; first < tokens; first += CHUNK) {
    const last = Math.min(tokens, first + CHUNK);
    const [newK, newV] = [k, v].map((all) =>
      uploadStorage(device, 'new rows', all.slice(first * headDim, last * headDim)),
    );
    await cache.append({ k: newK!, v: newV!, numTokens: last - first });
    newK!.destroy();
    newV!.destroy();
  }
  await device.idle();
}

const { gpu, adapterName, software } = await nodeGpu();
const needs = { ...cacheOptions, numQHeads };
const device = await openDevice(gpu, { descriptor: (adapter) => deviceDescriptor(adapter, needs) });
try {
  const { maxStorageBufferBindingSize, maxStorageBuffersPerShaderStage } = device.gpu.limits;
  console.log(`"${adapterName}"${software ? ', a software adapter: times are those of this CPU' : ''}`);
  console.log(
    `limits: bindings of ${formatBytes(maxStorageBufferBindingSize)}, ${maxStorageBuffersPerShaderStage} storage buffers`,
  );
  const [k, v] = await timed('making K and V', () => [
    noise(1, tokens * headDim),
    noise(2, tokens * headDim),
  ]);
  const q = Float32Array.from({ length: numQHeads * headDim }, (_, i) => {
    const needle = needles[Math.floor(i / headDim)]!;
    // Its score is about 3 sqrt(D), and the others have a deviation of 3: e^24 against 10^6 times e^4.5 at D 64.
    return 3 * k[needle * headDim + (i % headDim)]!;
  });
  const cache = await createKvCache(device, cacheOptions);
  console.log(`cache: ${tokens} tokens in ${cache.layout.pages} pages, ${formatBytes(cache.allocatedBytes)}`);
  await timed('appending all tokens', () => fill(device, cache, k, v));
  const decoder = await createDecoder(device, { cache, numQHeads });
  const qBuffer = uploadStorage(device, 'q', q);
  const o = uploadStorage(device, 'o', new Float32Array(numQHeads * headDim).fill(NaN));
  const lse = uploadStorage(device, 'lse', new Float32Array(numQHeads).fill(NaN));
  const step = await decoder.bind({ q: qBuffer, o, lse });
  const plan = decoder.plan({ kvLens: [tokens] });
  const steps: number[] = [];
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    step.run(plan);
    await device.idle();
    steps.push(performance.now() - start);
  }
  console.log(
    `a step, ${plan.dispatches.join(' and ')}, ${plan.items} items: ${steps.map((ms) => ms.toFixed(1)).join(', ')} ms`,
  );
  const got = { o: await readBack(device, o), lse: await readBack(device, lse) };
  const expected = await timed('the same in float64, and naively in f32', () =>
    expect64({
      batch: 1,
      numQHeads,
      numKvHeads: 1,
      headDim,
      qLen: 1,
      capacity: tokens,
      kvLens: [tokens],
      causal: true,
      smScale: plan.smScale,
      q,
      k: decodeRows(rows, encodeRows(rows, k)),
      v: decodeRows(rows, encodeRows(rows, v)),
    }),
  );
  const verdict = verify(expected, new Float32Array(got.o), new Float32Array(got.lse));
  console.log(
    `${verdict.pass ? 'right' : 'WRONG'}: ${numQHeads} rows of o, worst error ${verdict.maxAbsErr.toExponential(1)} (bound ${verdict.bound.toExponential(1)}), lse ${verdict.lseAbsErr.toExponential(1)} (bound ${verdict.lseBound.toExponential(1)})`,
  );
  if (!verdict.pass) process.exitCode = 1;
} finally {
  device.destroy();
}

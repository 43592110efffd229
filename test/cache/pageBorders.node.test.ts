// pageBorders.node.test.ts: rounds of the registers kernel on pages shorter and longer than they are: the same bits as without pages.
import { afterAll, expect, test } from 'vitest';
import {
  createDecoder,
  createKvCache,
  createStorage,
  openDevice,
  readBack,
  uploadStorage,
} from '../../src/index.ts';
import type { KvCache } from '../../src/index.ts';
import { fullDescriptor } from '../../src/device/deviceRequest.ts';
import { variantName } from '../../src/kernels/fused.ts';
import type { RegistersVariant } from '../../src/kernels/decodeRegisters.ts';
import { nodeGpu } from '../../src/node.ts';
import { normals } from '../../src/numbers/random.ts';

// Compiles in a tenth of the time that lavapipe takes, and has subgroups of 4.
const device = await openDevice((await nodeGpu({ adapter: 'swiftshader' })).gpu, {
  descriptor: fullDescriptor,
});
afterAll(() => device.destroy());

// Rows of K and of V have other numbers of words, and no power of two of them.
const SHAPE = { batch: 2, numKvHeads: 2, headDim: 24, capacity: 300, kType: 'f16', vType: 'int8' } as const;
const HEADS = 6;
const TOKENS = [259, 37] as const;

const BASE = { template: 'registers', wgSize: 32, lanes: 4, tokens: 4, teamRows: 1, blocks: 1 } as const;

/** Rounds of 32 keys on pages of 8, of 2 on 8, and of 8 on 16; pages looked up as a GPU does, and as a CPU. */
const CASES: readonly { readonly pageSize: number; readonly variant: RegistersVariant }[] = [
  { pageSize: 8, variant: { ...BASE, q: 'registers', code: 'gpu' } },
  { pageSize: 8, variant: { ...BASE, wgSize: 4, tokens: 2, teamRows: 3, q: 'registers', code: 'cpu' } },
  { pageSize: 16, variant: { ...BASE, wgSize: 16, teamRows: 2, blocks: 2, q: 'workgroup', code: 'cpu' } },
];

/** `count` tokens to each sequence, the same for every call with the same seed. */
async function append(
  cache: KvCache,
  seed: number,
  count: number,
  numTokens: readonly number[],
): Promise<void> {
  const { batch, numKvHeads, headDim } = SHAPE;
  const values = (salt: number) => normals(seed + salt, batch * numKvHeads * count * headDim);
  const [k, v] = [uploadStorage(device, 'k', values(0)), uploadStorage(device, 'v', values(1))];
  await cache.append({ k, v, numTokens: count }, { numTokens });
}

/** The sequences' tokens in turns, so that neither's pages lie side by side; those of the first are in no order besides. */
async function filled(pageSize?: number): Promise<KvCache> {
  const cache = await createKvCache(device, { ...SHAPE, ...(pageSize && { pageSize }) });
  await append(cache, 90, 150, [150, 90]);
  cache.reset(1);
  cache.truncate(30, { sequence: 0 });
  await append(cache, 92, 70, [0, 70]);
  cache.reset(0);
  cache.reset(1);
  for (let at = 0; at < TOKENS[0]; at += 37) {
    const counts = TOKENS.map((length) => Math.max(0, Math.min(37, length - at)));
    await append(cache, at, 37, counts);
  }
  return cache;
}

async function attend(cache: KvCache, variant: RegistersVariant, window?: number, qLen = 1) {
  const features = window === undefined ? {} : { features: { window } };
  const decoder = await createDecoder(device, { cache, numQHeads: HEADS, qLen, variant, ...features });
  const rows = SHAPE.batch * HEADS * qLen;
  const q = uploadStorage(device, 'q', normals(99, rows * SHAPE.headDim));
  const o = createStorage(device, 'o', rows * SHAPE.headDim * 4);
  const step = await decoder.bind({ q, o });
  step.run(decoder.plan({ kvLens: cache.kvLens() }));
  const out = new Float32Array(await readBack(device, o));
  decoder.destroy();
  return out;
}

test.each(CASES)('pages of $pageSize, $variant.code', async ({ pageSize, variant }) => {
  const [whole, paged] = [await filled(), await filled(pageSize)];
  // The second begins within a page; the third has rounds with hidden keys.
  for (const [window, qLen] of [
    [undefined, 1],
    [101, 1],
    [undefined, 3],
  ] as const) {
    const wanted = await attend(whole, variant, window, qLen);
    expect(wanted.every(Number.isFinite)).toBe(true);
    expect(wanted.some((value) => value !== 0)).toBe(true);
    const got = await attend(paged, variant, window, qLen);
    expect(got, `${variantName(variant)}, window ${window}, ${qLen} positions`).toEqual(wanted);
  }
  whole.destroy();
  paged.destroy();
});

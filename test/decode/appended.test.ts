// appended.test.ts: what is appended comes out of a step: V of every size, NaN and infinity, in every element type.
import { beforeAll, describe, expect, test } from 'vitest';
import { normals } from '../../src/numbers/random.ts';
import {
  createDecoder,
  createKvCache,
  createStorage,
  decodeRows,
  encodeRows,
  KV_RANGES,
  KV_TYPES,
  NotFiniteError,
  readBack,
  uploadStorage,
  type GqaDevice,
  type KvType,
} from '../../src/index.ts';
import { ownDevice } from '../support/ownDevice.ts';

// Of its own: idle() speaks of all caches of a device.
let device: GqaDevice;
beforeAll(async () => {
  device = await ownDevice();
});

const D = 64;

/** The output of one query over the given rows of K and V, appended token by token to two KV heads, and what a cache says. */
async function attend(type: KvType, tokens: number, k: Float32Array, v: Float32Array) {
  using cache = await createKvCache(device, { numKvHeads: 2, headDim: D, capacity: tokens, kType: type });
  using decoder = await createDecoder(device, { cache, numQHeads: 2, kernel: 'plain' });
  const q = uploadStorage(device, 'q', new Float32Array(2 * D).fill(0.01));
  const o = createStorage(device, 'o', 2 * D * 4);
  const [kRows, vRows] = [uploadStorage(device, 'k', k), uploadStorage(device, 'v', v)];
  const step = await decoder.bind({ q, o });
  await cache.append({ k: kRows, v: vRows, numTokens: tokens });
  step.run(decoder.plan({ kvLens: [tokens] }));
  const out = new Float32Array(await readBack(device, o));
  const report = await cache.report();
  const error: unknown = await device.idle().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  for (const buffer of [q, o, kRows, vRows]) buffer.destroy();
  return { out, report, error };
}

// Half a step of the quantised types; half a last place of the others.
const PRECISION: Readonly<Record<KvType, number>> = {
  f32: 2 ** -24,
  f16: 2 ** -11,
  bf16: 2 ** -8,
  int8: (0.5 / 127) * (1 + 2 ** -6),
  int4: (0.5 / 7) * (1 + 2 ** -6),
};

describe.each(KV_TYPES)('%s', (type) => {
  test.each([1e-38, 1e-36, 1e-30, 1e-20, 1e-12, 1e-8, 1e-7, 2e-6, 1, 6e4, 524032, 8.3e6, 1e20, 1e37, 3e38])(
    'V of size %d',
    async (size) => {
      const { largest, precise, least } = KV_RANGES[type];
      const v = normals(3, 2 * D).map((x) => size * Math.max(-1, Math.min(1, x / 2)));
      v.set([size, -size]);
      const { out, report, error } = await attend(type, 1, new Float32Array(2 * D), v);
      expect(error).toBeUndefined();
      const layout = { type, headDim: D, heads: 2, capacity: 1 };
      const stored = decodeRows(layout, encodeRows(layout, v));
      // Sums and products round; what is subnormal may be flushed.
      const slack = (value: number) => Math.abs(value) * 1e-6 + 2 ** -126;
      out.forEach((x, i) => expect(Math.abs(x - stored[i]!)).toBeLessThanOrEqual(slack(stored[i]!)));
      if (size <= largest && size >= precise) {
        const relative = type === 'int8' || type === 'int4' ? size : undefined;
        out.forEach((x, i) => {
          // A half below 2^-14 is a multiple of 2^-24.
          const allowed = Math.max(
            PRECISION[type] * (relative ?? Math.abs(v[i]!)),
            type === 'f16' ? 2 ** -25 : 0,
          );
          expect(Math.abs(x - v[i]!)).toBeLessThanOrEqual(allowed + slack(v[i]!));
        });
      }
      expect(report.v.saturated).toBe(size > largest ? v.filter((x) => Math.abs(x) > largest).length : 0);
      if (size > least) expect([out[0]! > 0, out[1]! < 0]).toEqual([true, true]);
      if (size < least) expect(report.v.vanished).toBe(v.length);
    },
  );

  test.each([NaN, Infinity, -Infinity])(
    '%d in V shows in the rows that see it, and idle() says so',
    async (bad) => {
      const k = normals(1, 2 * 3 * D);
      const v = normals(2, 2 * 3 * D);
      v[D + 5] = bad; // head 0, token 1
      const { out, report, error } = await attend(type, 3, k, v);
      expect(Number.isFinite(out[5])).toBe(false);
      expect([...out.subarray(D)].every(Number.isFinite)).toBe(true);
      expect(report).toMatchObject({ k: { notFinite: 0 }, v: { notFinite: 1 } });
      expect(error).toBeInstanceOf(NotFiniteError);
    },
  );

  test.each([NaN, Infinity, -Infinity])(
    '%d in K shows in the rows that see it, and idle() says so',
    async (bad) => {
      const k = normals(1, 2 * 3 * D);
      const v = normals(2, 2 * 3 * D);
      k[(3 + 2) * D + 9] = bad; // head 1, token 2
      const { out, report, error } = await attend(type, 3, k, v);
      expect([...out.subarray(0, D)].every(Number.isFinite)).toBe(true);
      if (Number.isNaN(bad)) expect([...out.subarray(D)].filter(Number.isFinite)).toEqual([]);
      expect(report).toMatchObject({ k: { notFinite: 1 }, v: { notFinite: 0 } });
      expect(error).toBeInstanceOf(NotFiniteError);
    },
  );
});

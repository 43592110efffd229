// kvBytes.test.ts: cache sizes and read floors, worked by hand, and the input that is refused.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ShapeError } from '../../src/device/errors.ts';
import { kvBytesPerToken, kvCacheBytes, kvRows, readFloorMs, type KvRow } from '../../src/models/kvBytes.ts';
import { findPreset } from '../../src/models/presets.ts';

const small = { layers: 3, numKvHeads: 5 };
const local = { ...small, localLayers: 2, window: 10 };

describe('kvBytesPerToken', () => {
  it('is layers * heads * (bytes of a K row + bytes of a V row)', () => {
    expect(kvBytesPerToken(small, 14)).toBe(420);
    expect(kvBytesPerToken(small, 28)).toBe(840);
    expect(kvBytesPerToken(small, { k: 28, v: 14 })).toBe(630);
    expect(kvBytesPerToken(findPreset('llama-3-8b'), 256)).toBe(131_072);
    // 128 elements of int8 and a scale of two bytes
    expect(kvBytesPerToken(findPreset('llama-3-8b'), 130)).toBe(66_560);
  });

  it('refuses what is not a whole number above zero, by name', () => {
    expect(() => kvBytesPerToken({ ...small, layers: 0 }, 14)).toThrow(ShapeError);
    expect(() => kvBytesPerToken({ ...small, layers: 0 }, 14)).toThrow(
      'kvBytes: layers expected a whole number of at least 1, got 0',
    );
    expect(() => kvBytesPerToken({ ...small, numKvHeads: -5 }, 14)).toThrow('numKvHeads expected');
    expect(() => kvBytesPerToken(small, NaN)).toThrow('bytesPerRow expected');
    expect(() => kvBytesPerToken(small, { k: 14, v: 0.5 })).toThrow('bytesPerRow expected');
  });

  it('refuses sizes that a number cannot hold exactly', () => {
    const huge = { layers: 2 ** 20, numKvHeads: 2 ** 20 };
    expect(() => kvBytesPerToken(huge, 2 ** 12)).toThrow(
      'kvBytesPerToken: expected fewer than 2^53 bytes, got about 9.01e+15',
    );
    expect(kvBytesPerToken(huge, 2 ** 11)).toBe(2 ** 52);
  });
});

describe('kvCacheBytes', () => {
  it('multiplies by tokens and sequences', () => {
    expect(kvCacheBytes(small, 100, 3, 14, { windowed: true })).toBe(126_000);
    expect(kvCacheBytes(small, 0, 3, 14, { windowed: true })).toBe(0);
  });

  // One layer's token is 140 B: five heads of two rows of 14. Two of the three layers are local with a window of 10.
  it.each([
    [9, 3780, 3780],
    [10, 4200, 4200],
    [11, 4340, 4620],
    [100, 16_800, 42_000],
  ])('keeps a window of 10 at %i tokens', (tokens, windowed, full) => {
    expect(kvCacheBytes(local, tokens, 1, 14, { windowed: true })).toBe(windowed);
    expect(kvCacheBytes(local, tokens, 1, 14, { windowed: false })).toBe(full);
  });

  it('grows by one token of every layer until the window is full, then of the global layers', () => {
    const tokens = fc.integer({ min: 0, max: 1_000_000 });
    fc.assert(
      fc.property(tokens, fc.integer({ min: 1, max: 64 }), (n, batch) => {
        const size = (t: number) => kvCacheBytes(local, t, batch, 14, { windowed: true });
        expect(size(n + 1) - size(n)).toBe(batch * 140 * (n < 10 ? 3 : 1));
      }),
    );
  });

  it('refuses bad counts, and local layers that do not fit', () => {
    expect(() => kvCacheBytes(small, -1, 1, 14, { windowed: true })).toThrow(
      'tokens expected a whole number of at least 0, got -1',
    );
    expect(() => kvCacheBytes(small, 1.5, 1, 14, { windowed: true })).toThrow('tokens expected');
    expect(() => kvCacheBytes(small, 1, 0, 14, { windowed: true })).toThrow(
      'batch expected a whole number of at least 1, got 0',
    );
    expect(() => kvCacheBytes({ ...small, localLayers: 1 }, 1, 1, 14, { windowed: true })).toThrow(
      'window expected a whole number of at least 1, got undefined',
    );
    expect(() => kvCacheBytes({ ...local, localLayers: 4 }, 1, 1, 14, { windowed: true })).toThrow(
      'localLayers expected at most 3 (layers), got 4',
    );
    expect(() => kvCacheBytes(small, 2 ** 50, 1, 14, { windowed: true })).toThrow(
      'kvCacheBytes: expected fewer than 2^53 bytes',
    );
  });
});

describe('readFloorMs', () => {
  it('is bytes over 10^9 bytes per second, in ms', () => {
    expect(readFloorMs(1_000_000_000, 1)).toBe(1000);
    expect(readFloorMs(2 ** 30, 380)).toBeCloseTo(2.8256, 4);
  });

  it('refuses a bandwidth that is not above zero', () => {
    expect(() => readFloorMs(1, 0)).toThrow('readFloorMs: gbps expected a number above 0, got 0');
    expect(() => readFloorMs(1, NaN)).toThrow(ShapeError);
  });
});

function variantNames(rows: readonly KvRow[]): string[] {
  return rows.map((row) => `${row.variant} ${row.numKvHeads} ${row.configured}`);
}

describe('kvRows', () => {
  // Rows of 128 halves.
  const request = { depths: [8192], batch: 1, bytesPerRow: 256, memoryBytes: 16 * 2 ** 30 };

  it('compares MHA, the configured heads and MQA', () => {
    const rows = kvRows(findPreset('llama-3.1-8b'), { ...request, gbps: 1 });
    const common = { depth: 8192 };
    expect(rows).toEqual([
      {
        ...common,
        variant: 'mha',
        configured: false,
        numKvHeads: 32,
        bytesPerToken: 524_288,
        cacheBytes: 4_294_967_296,
        fullBytes: 4_294_967_296,
        sequences: 4,
        readFloorMs: 4294.967296,
      },
      {
        ...common,
        variant: 'gqa',
        configured: true,
        numKvHeads: 8,
        bytesPerToken: 131_072,
        cacheBytes: 1_073_741_824,
        fullBytes: 1_073_741_824,
        sequences: 16,
        readFloorMs: 1073.741824,
      },
      {
        ...common,
        variant: 'mqa',
        configured: false,
        numKvHeads: 1,
        bytesPerToken: 16_384,
        cacheBytes: 134_217_728,
        fullBytes: 134_217_728,
        sequences: 128,
        readFloorMs: 134.217728,
      },
    ]);
  });

  it('has no second row for a model that is MHA or MQA already', () => {
    expect(variantNames(kvRows(findPreset('llama-2-7b'), request))).toEqual(['mha 32 true', 'mqa 1 false']);
    expect(variantNames(kvRows(findPreset('falcon-7b'), request))).toEqual(['mha 71 false', 'mqa 1 true']);
  });

  it('has every depth, counts whole sequences, and gives a time only with a bandwidth', () => {
    const rows = kvRows(findPreset('qwen3-4b'), { ...request, depths: [100, 8192], batch: 4 });
    expect(rows.map((r) => r.depth)).toEqual([100, 100, 100, 8192, 8192, 8192]);
    expect(rows[4]).toEqual({
      variant: 'gqa',
      configured: true,
      numKvHeads: 8,
      depth: 8192,
      bytesPerToken: 147_456,
      cacheBytes: 4_831_838_208,
      fullBytes: 4_831_838_208,
      sequences: 14,
    });
  });

  it('reads and stores the window, and says what it saves', () => {
    const heads256 = { ...request, bytesPerRow: 512, gbps: 100 };
    const row = kvRows(findPreset('gemma-3-4b'), heads256).find((r) => r.configured);
    // 5 layers of 8192 tokens and 29 of 1024, 4096 B per token and layer.
    expect(row).toMatchObject({ cacheBytes: 289_406_976, fullBytes: 1_140_850_688, sequences: 59 });
    expect(row?.readFloorMs).toBeCloseTo(2.89407, 5);
  });

  it('refuses a depth of nothing', () => {
    expect(() => kvRows(findPreset('gpt-2'), { ...request, depths: [0] })).toThrow(
      'depth expected a whole number of at least 1, got 0',
    );
  });
});

// kvBytes.test.ts: cache sizes and read floors, worked by hand, and the input that is refused.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ShapeError } from '../../src/device/errors.ts';
import {
  crossBytesPerToken,
  halves,
  kvBytesPerToken,
  kvCacheBytes,
  kvRows,
  readFloorMs,
  storedRows,
  type KvRow,
  type RowBytes,
} from '../../src/models/kvBytes.ts';
import { emptyLayer, groupLayers, type KvLayers } from '../../src/models/kvLayers.ts';
import { findPreset } from '../../src/models/presets.ts';

// Heads of 7 elements of two bytes: a row has 14 B.
const heads = { numKvHeads: 5, headDim: 7 };
const small: KvLayers[] = [{ kind: 'global', count: 3, ...heads }];
const local: KvLayers[] = [
  { kind: 'global', count: 1, ...heads },
  { kind: 'local', count: 2, ...heads, window: 10 },
];

/** Rows of so many bytes, whatever their elements. */
function rowsOf(k: number, v = k): RowBytes {
  return () => ({ k, v });
}

describe('kvBytesPerToken', () => {
  it('is layers * heads * (bytes of a K row + bytes of a V row)', () => {
    expect(kvBytesPerToken(small, halves)).toBe(420);
    expect(kvBytesPerToken(small, rowsOf(28))).toBe(840);
    expect(kvBytesPerToken(small, rowsOf(28, 14))).toBe(630);
    expect(kvBytesPerToken(findPreset('llama-3-8b').kvLayers, halves)).toBe(131_072);
    // 128 elements of int8 and a scale of two bytes
    expect(kvBytesPerToken(findPreset('llama-3-8b').kvLayers, rowsOf(130))).toBe(66_560);
  });

  it('refuses what is not a whole number above zero, by name', () => {
    expect(() => kvBytesPerToken([{ ...small[0]!, count: 0 }], halves)).toThrow(ShapeError);
    expect(() => kvBytesPerToken([{ ...small[0]!, count: 0 }], halves)).toThrow(
      'kvBytesPerToken: layers[0]: count: expected a positive whole number, got 0',
    );
    expect(() => kvBytesPerToken([{ ...small[0]!, numKvHeads: -5 }], halves)).toThrow('numKvHeads: expected');
    expect(() => kvBytesPerToken(small, rowsOf(NaN))).toThrow('rowBytes(7).k: expected');
    expect(() => kvBytesPerToken(small, rowsOf(14, 0.5))).toThrow('rowBytes(7).v: expected');
  });

  it('refuses sizes that a number cannot hold exactly', () => {
    const huge: KvLayers[] = [{ kind: 'global', count: 2 ** 20, numKvHeads: 2 ** 20, headDim: 1 }];
    expect(() => kvBytesPerToken(huge, rowsOf(2 ** 12))).toThrow(
      'kvBytesPerToken: expected fewer than 2^53 bytes, got about 9.01e+15',
    );
    expect(kvBytesPerToken(huge, rowsOf(2 ** 11))).toBe(2 ** 52);
  });
});

describe('kvCacheBytes', () => {
  it('multiplies by tokens and sequences', () => {
    expect(kvCacheBytes(small, 100, 3, halves, { windowed: true })).toBe(126_000);
    expect(kvCacheBytes(small, 0, 3, halves, { windowed: true })).toBe(0);
  });

  // One layer's token is 140 B: five heads of two rows of 14. Two of the three layers are local with a window of 10.
  it.each([
    [9, 3780, 3780],
    [10, 4200, 4200],
    [11, 4340, 4620],
    [100, 16_800, 42_000],
  ])('keeps a window of 10 at %i tokens', (tokens, windowed, full) => {
    expect(kvCacheBytes(local, tokens, 1, halves, { windowed: true })).toBe(windowed);
    expect(kvCacheBytes(local, tokens, 1, halves, { windowed: false })).toBe(full);
  });

  it('grows by one token of every layer until the window is full, then of the global layers', () => {
    const tokens = fc.integer({ min: 0, max: 1_000_000 });
    fc.assert(
      fc.property(tokens, fc.integer({ min: 1, max: 64 }), (n, batch) => {
        const size = (t: number) => kvCacheBytes(local, t, batch, halves, { windowed: true });
        expect(size(n + 1) - size(n)).toBe(batch * 140 * (n < 10 ? 3 : 1));
      }),
    );
  });

  it('sums over layers that differ, without those that keep nothing of their own', () => {
    const mixed = groupLayers([
      { kind: 'global', numKvHeads: 4, headDim: 8 },
      { kind: 'global', numKvHeads: 2, headDim: 16 },
      { kind: 'chunked', numKvHeads: 4, headDim: 8, window: 6 },
      emptyLayer('shared'),
      emptyLayer('none'),
      emptyLayer('none'),
      { kind: 'cross', numKvHeads: 1, headDim: 8, window: 5 },
    ]);
    expect(mixed.map(({ kind, count }) => `${count} ${kind}`)).toEqual(
      ['global', 'global', 'chunked', 'cross', 'shared'].map((kind) => `1 ${kind}`).concat('2 none'),
    );
    // 4 heads * 8 * 2 B, of K and of V: 128 B; 2 heads * 16 the same; one head * 8: 32 B.
    expect(kvBytesPerToken(mixed, halves)).toBe(128 + 128 + 128);
    expect(crossBytesPerToken(mixed, halves)).toBe(32);
    expect(kvCacheBytes(mixed, 10, 2, halves, { windowed: true })).toBe(
      2 * (10 * 128 + 10 * 128 + 6 * 128 + 5 * 32),
    );
    expect(kvCacheBytes(mixed, 10, 1, halves, { windowed: false })).toBe(10 * 3 * 128 + 5 * 32);
  });

  it('refuses bad counts, and local layers without a window', () => {
    expect(() => kvCacheBytes(small, -1, 1, halves, { windowed: true })).toThrow(
      'tokens: expected zero or a positive whole number, got -1',
    );
    expect(() => kvCacheBytes(small, 1.5, 1, halves, { windowed: true })).toThrow('tokens: expected');
    expect(() => kvCacheBytes(small, 1, 0, halves, { windowed: true })).toThrow(
      'batch: expected a positive whole number, got 0',
    );
    expect(() =>
      kvCacheBytes([{ kind: 'local', count: 1, ...heads }], 1, 1, halves, { windowed: true }),
    ).toThrow('window: expected a positive whole number, got undefined');
    expect(() => kvCacheBytes(small, 2 ** 50, 1, halves, { windowed: true })).toThrow(
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
    expect(() => readFloorMs(1, 0)).toThrow('readFloorMs: gbps: expected a number above 0, got 0');
    expect(() => readFloorMs(1, NaN)).toThrow(ShapeError);
  });
});

function variantNames(rows: readonly KvRow[]): string[] {
  return rows.map((row) => `${row.variant} ${row.numKvHeads} ${row.configured}`);
}

describe('kvRows', () => {
  const request = { depths: [8192], batch: 1, rowBytes: halves, memoryBytes: 16 * 2 ** 30 };

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
    const row = kvRows(findPreset('gemma-3-4b'), { ...request, gbps: 100 }).find((r) => r.configured);
    // 5 layers of 8192 tokens and 29 of 1024, 4096 B per token and layer.
    expect(row).toMatchObject({ cacheBytes: 289_406_976, fullBytes: 1_140_850_688, sequences: 59 });
    expect(row?.readFloorMs).toBeCloseTo(2.89407, 5);
  });

  it('refuses a depth of nothing', () => {
    expect(() => kvRows(findPreset('gpt-2'), { ...request, depths: [0] })).toThrow(
      'depth: expected a positive whole number, got 0',
    );
  });
});

describe('storedRows', () => {
  it('has the bytes of rows with their scales, K and V each of its own type', () => {
    expect(storedRows('f16')(128)).toEqual({ k: 256, v: 256 });
    expect(storedRows('int8', 'int4')(128)).toEqual({ k: 130, v: 72 });
  });

  it('refuses a type that there is none of', () => {
    expect(() => storedRows('f8' as 'f16')).toThrow('storedRows: kType must be one of f32, f16');
    expect(() => storedRows('f16', 'f8' as 'f16')).toThrow('storedRows: vType must be one of');
  });
});

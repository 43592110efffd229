// facts.node.test.ts: the figures that docs/ states are those of the code.
import { describe, expect, test } from 'vitest';
import { coldBytesOf } from '../../bench/run/coldCaches.ts';
import { LEAST_CLOCKS, SAMPLING_MS, SETTLED } from '../../bench/run/sampling.ts';
import { medianInterval } from '../../bench/schema/stats.ts';
import { formatMagnitude } from '../../bench/text/format.ts';
import cacheTypes from '../../docs/cache-types.md?raw';
import kernels from '../../docs/kernels.md?raw';
import measuring from '../../docs/measuring.md?raw';
import whatIsGqa from '../../docs/what-is-gqa.md?raw';
import { SPLIT_GRAIN } from '../../src/decode/planContext.ts';
import { decodeRows, encodeRows, KV_RANGES, KV_TYPES, type KvType } from '../../src/index.ts';
import { findPreset, kvCacheBytes, storedRows } from '../../src/models.ts';
import { rowBytes, storedBytes } from '../../src/numbers/elements.ts';
import { normals } from '../../src/numbers/random.ts';

/** The cells of a table's rows whose first cell is code. */
function rowsOf(markdown: string): string[][] {
  return [...markdown.matchAll(/^\| `([\w.-]+)` \| (.*) \|$/gm)].map(([, name, rest]) => [
    name!,
    ...rest!.split(' | '),
  ]);
}

test('the models of what-is-gqa.md are presets, with their heads and sizes', () => {
  const rows = rowsOf(whatIsGqa);
  expect(rows.length).toBeGreaterThan(10);
  const expected = rows.map(([name]) => {
    const { numQHeads, numKvHeads, kvLayers } = findPreset(name!);
    const bytes = kvCacheBytes(kvLayers, 1, 1, storedRows('f16'), { windowed: false });
    const kinds: Readonly<Record<number, string>> = { [numQHeads]: 'MHA', 1: 'MQA' };
    const kind = kinds[numKvHeads] ?? `GQA, group of ${numQHeads / numKvHeads}`;
    return [name, `${numQHeads}/${numKvHeads}`, bytes.toLocaleString('en-US'), kind];
  });
  expect(rows).toEqual(expected);
  const windowed = (name: string) =>
    findPreset(name).kvLayers.flatMap(({ window, count }) => (window ? [count] : []));
  expect([windowed('gpt-oss-120b'), findPreset('gpt-oss-120b').layers]).toEqual([[18], 36]);
  expect([windowed('gemma-3-27b'), findPreset('gemma-3-27b').layers]).toEqual([[52], 62]);
});

describe('cache-types.md', () => {
  const rows = rowsOf(cacheTypes);

  test('types, bytes and ranges', () => {
    const ranges = KV_TYPES.map((type) => {
      const { largest, precise, least } = KV_RANGES[type];
      return [
        type,
        String(Number((rowBytes(type, 128) / 128).toPrecision(4))),
        ...[largest, precise, least].map(formatMagnitude),
      ];
    });
    expect(rows.map((cells) => cells.slice(0, 5))).toEqual(ranges);
  });

  /** The largest error of stored elements, as a share of themselves or of the largest of so many. */
  function worstShare(type: KvType, block: number): number {
    const count = 128 * 4000;
    // Shares of every size, so that the worst place between two steps is met closely.
    const values = normals(5, count).map((x) => Math.fround(x));
    const layout = { type, headDim: 128, heads: 1, capacity: 4000 };
    const stored = decodeRows(layout, encodeRows(layout, values));
    let worst = 0;
    for (let first = 0; first < count; first += block) {
      let most = 0;
      for (let i = first; i < first + block; i++) most = Math.max(most, Math.abs(values[i]!));
      if (most < 1e-3) continue;
      for (let i = first; i < first + block; i++)
        worst = Math.max(worst, Math.abs(stored[i]! - values[i]!) / most);
    }
    return worst;
  }

  test.each([
    ['f32', 1, 0],
    ['f16', 1, 1 / 2048],
    ['bf16', 1, 1 / 256],
    ['int8', 128, 1 / 253],
    ['int4', 32, 0.072],
  ] as const)('errors of %s', (type, block, bound) => {
    const worst = worstShare(type, block);
    expect(worst).toBeLessThanOrEqual(bound);
    expect(worst).toBeGreaterThanOrEqual(0.9 * bound);
    const [, said] =
      /^(?:1\/(\d+)|([\d.]+) %|none)/.exec(rows.find(([name]) => name === type)!.at(-1)!) ?? [];
    if (said !== undefined) expect(1 / Number(said)).toBe(bound);
  });

  test('tokens that fit the guaranteed binding', () => {
    const fits = (type: KvType, capacity: number) =>
      storedBytes({ type, headDim: 128, heads: 1, capacity }) <= 128 * 2 ** 20;
    for (const [type, name] of [
      ['f16', 'f16 has room for'],
      ['int8', 'int8'],
      ['int4', 'and int4'],
    ] as const) {
      const [, said] = new RegExp(`${name} ([\\d,]+)`).exec(
        cacheTypes.slice(cacheTypes.indexOf('often the remedy')),
      )!;
      const tokens = Number(said!.replaceAll(',', ''));
      expect([fits(type, tokens), fits(type, tokens + 1)], type).toEqual([true, false]);
    }
  });
});

test('what measuring.md says of samples and caches', () => {
  expect(measuring).toContain(`at most ${100 * SETTLED} % of it`);
  expect(measuring).toContain(`${LEAST_CLOCKS} times as long`);
  expect([SAMPLING_MS.row, SAMPLING_MS.most]).toEqual([2000, 6000]); // "two seconds for each row by default, six at most"
  expect([coldBytesOf(false), coldBytesOf(true), coldBytesOf(false, 5)]).toEqual([
    256 * 2 ** 20,
    64 * 2 ** 20,
    10,
  ]);
  const twenty = Array.from({ length: 20 }, (_, i) => i + 1);
  expect(medianInterval(twenty)).toEqual([6, 15]); // "the sixth smallest and the sixth largest"
});

test('what kernels.md says of splits', () => {
  expect(kernels).toContain(`multiples of ${SPLIT_GRAIN} keys`);
});

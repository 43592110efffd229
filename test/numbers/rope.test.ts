// rope.test.ts: frequencies against the formulas they are published by, and the tables against float64.
import { describe, expect, test } from 'vitest';
import { ShapeError } from '../../src/index.ts';
import {
  checkRopeFormat,
  ROPE_LOW,
  ropeFrequencies,
  ropeTable,
  type RopeFormat,
} from '../../src/numbers/rope.ts';

const list = (format: RopeFormat) => Array.from(ropeFrequencies(format).frequencies);

/** Every number is the other within a few units of the last place of a double. */
function expectClose(got: readonly number[], wanted: readonly number[]): void {
  expect(got).toHaveLength(wanted.length);
  got.forEach((x, i) => expect(Math.abs(x / wanted[i]! - 1)).toBeLessThan(1e-12));
}

describe('frequencies', () => {
  test('are powers of the base, from 1 down', () => {
    expectClose(list({ headDim: 8 }), [1, 0.1, 0.01, 0.001]);
    expectClose(list({ headDim: 8, base: 16 }), [1, 0.5, 0.25, 0.125]);
  });

  test('of a part of the row are those of a row so long', () => {
    expect(list({ headDim: 80, rotaryDim: 20 })).toEqual(list({ headDim: 20 }));
  });

  test('linear scaling divides all', () => {
    expectClose(list({ headDim: 8, scaling: { type: 'linear', factor: 4 } }), [0.25, 0.025, 0.0025, 0.00025]);
  });

  // Llama 3.1's config.json. Wavelengths up to 8192 / 4 stay, those from 8192 / 1 on are divided by 8.
  test('Llama 3: short waves stay, long ones are divided, those between are mixed', () => {
    const scaling = {
      type: 'llama3',
      factor: 8,
      lowFreqFactor: 1,
      highFreqFactor: 4,
      originalContext: 8192,
    } as const;
    const plain = list({ headDim: 128, base: 500000 });
    const scaled = list({ headDim: 128, base: 500000, scaling });
    const wanted = plain.map((frequency) => {
      const wave = (2 * Math.PI) / frequency;
      if (wave < 8192 / 4) return frequency;
      if (wave > 8192) return frequency / 8;
      const smooth = (8192 / wave - 1) / (4 - 1);
      return (1 - smooth) * (frequency / 8) + smooth * frequency;
    });
    expectClose(scaled, wanted);
    const ratios = scaled.map((frequency, i) => plain[i]! / frequency);
    expect(ratios.filter((ratio) => ratio === 1)).toHaveLength(29);
    expect(ratios.filter((ratio) => ratio > 1.001 && ratio < 7.999)).toHaveLength(6);
    expect(ratios.filter((ratio) => ratio > 7.999)).toHaveLength(29);
  });

  // gpt-oss: base 150000, 64 elements, factor 32 over 4096, not truncated. Qwen: 128 elements, factor 4 over 32768.
  test.each([
    [
      64,
      150000,
      { type: 'yarn', factor: 32, originalContext: 4096, betaFast: 32, betaSlow: 1, truncate: false },
    ],
    [128, 1e6, { type: 'yarn', factor: 4, originalContext: 32768 }],
  ] as const)('YaRN over %i elements', (headDim, base, scaling) => {
    const border = (turns: number) => {
      const pair =
        (headDim / 2) * (Math.log(scaling.originalContext / turns / (2 * Math.PI)) / Math.log(base));
      return pair;
    };
    const whole = !('truncate' in scaling);
    const from = whole ? Math.floor(border(32)) : border(32);
    const to = whole ? Math.ceil(border(1)) : border(1);
    const plain = list({ headDim, base });
    const wanted = plain.map((frequency, i) => {
      if (i <= from) return frequency;
      if (i >= to) return frequency / scaling.factor;
      const part = (i - from) / (to - from);
      return frequency * (1 - part + part / scaling.factor);
    });
    expectClose(list({ headDim, base, scaling }), wanted);
    expect([0, headDim / 2 - 1].map((i) => plain[i]! / wanted[i]!)).toEqual([1, scaling.factor]);
    const { attentionFactor } = ropeFrequencies({ headDim, base, scaling });
    expect(attentionFactor).toBeCloseTo(scaling.factor === 4 ? 1.1386294361119891 : 1.3465735902799727, 14);
  });

  test('an attention factor that is given stands', () => {
    const scaling = { type: 'yarn', factor: 4, originalContext: 4096, attentionFactor: 1.25 } as const;
    expect(ropeFrequencies({ headDim: 8, scaling }).attentionFactor).toBe(1.25);
    expect(ropeFrequencies({ headDim: 8 }).attentionFactor).toBe(1);
  });
});

describe('LongRoPE', () => {
  const scaling = {
    type: 'longrope',
    shortFactor: [1, 1.25, 2, 4],
    longFactor: [1.5, 3, 8, 32],
    factor: 32,
    originalContext: 4096,
  } as const;
  const of = (positions?: number, more: object = {}) =>
    ropeFrequencies({ headDim: 8, scaling: { ...scaling, ...more } }, positions);

  // 1 / (factor * 10000^(2i / 8)), worked apart from this code.
  const SHORT = [1, 0.08, 0.005, 0.00025];
  const LONG = [0.6666666666666666, 0.03333333333333333, 0.00125, 0.00003125];

  test.each([
    [undefined, SHORT],
    [1, SHORT],
    [4096, SHORT],
    [4097, LONG],
    [131072, LONG],
  ])('with room for %s positions', (positions, wanted) => {
    expectClose(Array.from(of(positions).frequencies), wanted);
  });

  test('multiplies by a factor of the contexts, whichever list is used', () => {
    // sqrt(1 + ln(32) / ln(4096)), Phi-3's.
    expect(of(1).attentionFactor).toBeCloseTo(1.1902380714238083, 14);
    expect(of(5000).attentionFactor).toBeCloseTo(1.1902380714238083, 14);
    expect(of(1, { factor: 1 }).attentionFactor).toBe(1);
    expect(of(1, { attentionFactor: 1.5 }).attentionFactor).toBe(1.5);
  });
});

describe('a table', () => {
  const POSITIONS = 2 ** 20 + 100;

  test.each([0, 1, 511, 512, 513, 131_071, 1_000_000, POSITIONS - 1])(
    'has the turn of position %i',
    (position) => {
      const scaling = { type: 'yarn', factor: 4, originalContext: 32768 } as const;
      const rope = ropeFrequencies({ headDim: 16, base: 1e6, scaling });
      const table = ropeTable(rope, POSITIONS);
      rope.frequencies.forEach((frequency, pair) => {
        const at = (row: number) => table.subarray(2 * (row * 8 + pair));
        const low = at(position % ROPE_LOW);
        const high = at(ROPE_LOW + Math.floor(position / ROPE_LOW));
        const cosine = high[0]! * low[0]! - high[1]! * low[1]!;
        const sine = high[0]! * low[1]! + high[1]! * low[0]!;
        expect(Math.abs(cosine - rope.attentionFactor * Math.cos(position * frequency))).toBeLessThan(1.5e-7);
        expect(Math.abs(sine - rope.attentionFactor * Math.sin(position * frequency))).toBeLessThan(1.5e-7);
      });
    },
  );

  test('ends with the multiple that its last position needs', () => {
    const rope = ropeFrequencies({ headDim: 8 });
    expect([1, 512, 513].map((positions) => ropeTable(rope, positions).length)).toEqual([
      513 * 8,
      513 * 8,
      514 * 8,
    ]);
  });
});

const LLAMA3 = { type: 'llama3', factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalContext: 8192 };
const YARN = { type: 'yarn', factor: 4, originalContext: 4096 };
const ONES = Array.from({ length: 32 }, () => 1);
const LONGROPE = {
  type: 'longrope',
  factor: 4,
  originalContext: 4096,
  shortFactor: ONES,
  longFactor: ONES,
};

test.each<[string, object]>([
  ['rope: rotaryDim: expected an even number from 2 to the head dim of 64, got 66', { rotaryDim: 66 }],
  ['rope: rotaryDim: expected an even number from 2 to the head dim of 64, got 7', { rotaryDim: 7 }],
  ['rope: rotaryDim: expected an even number from 2 to the head dim of 64, got 0', { rotaryDim: 0 }],
  ['rope: style must be one of half, interleaved, got "neox"', { style: 'neox' }],
  ['rope: base: expected more than 1, got 1', { base: 1 }],
  ['rope: base: expected a finite number, got NaN', { base: NaN }],
  ['rope: scaling: expected an object with a type, got "yarn"', { scaling: 'yarn' }],
  [
    'rope: scaling: type must be one of linear, llama3, yarn, longrope, got "dynamic"',
    { scaling: { type: 'dynamic' } },
  ],
  ['rope: scaling: factor: expected a finite number, got undefined', { scaling: { type: 'linear' } }],
  ['rope: scaling: factor: expected more than 0, got 0', { scaling: { type: 'linear', factor: 0 } }],
  ['rope: scaling: there is no option betaFast', { scaling: { type: 'linear', factor: 2, betaFast: 1 } }],
  [
    'rope: scaling: highFreqFactor: expected more than 1, got 1',
    { scaling: { ...LLAMA3, highFreqFactor: 1 } },
  ],
  ['rope: scaling: lowFreqFactor: expected more than 0, got 0', { scaling: { ...LLAMA3, lowFreqFactor: 0 } }],
  [
    'rope: scaling: originalContext: expected more than 0, got 0',
    { scaling: { ...YARN, originalContext: 0 } },
  ],
  ['rope: scaling: betaFast: expected more than 1, got 0.5', { scaling: { ...YARN, betaFast: 0.5 } }],
  [
    'rope: scaling: attentionFactor: expected more than 0, got -1',
    { scaling: { ...YARN, attentionFactor: -1 } },
  ],
  [
    'rope: scaling: longFactor: expected 32 numbers, one for each pair that is turned, got 2',
    { scaling: { ...LONGROPE, longFactor: [1, 2] } },
  ],
  [
    'rope: scaling: shortFactor: expected 32 numbers, one for each pair that is turned, got undefined',
    { scaling: { ...LONGROPE, shortFactor: undefined } },
  ],
  [
    'rope: scaling: shortFactor: pair 31: expected more than 0, got 0',
    { scaling: { ...LONGROPE, shortFactor: [...ONES.slice(1), 0] } },
  ],
  [
    'rope: scaling: originalContext: expected more than 1, got 1',
    { scaling: { ...LONGROPE, originalContext: 1 } },
  ],
  ['rope: there is no option theta', { theta: 1 }],
])('%s', (message, more) => {
  const check = () => checkRopeFormat('rope', { headDim: 64, ...more });
  expect(check).toThrow(ShapeError);
  expect(check).toThrow(message);
});

// rope.ts: rotary position embedding: the frequencies of a row's pairs, and the tables of turns that kernels read.
import { ShapeError } from '../device/errors.ts';
import {
  checkBoolean,
  checkFinite,
  checkOneOf,
  checkOptions,
  checkWhole,
  describe,
  isObject,
  type Known,
} from '../device/options.ts';

/** Which elements of a row are a pair: d and d + rotaryDim / 2 (Llama, Qwen, Gemma), or 2d and 2d + 1 (GPT-J, Llama's own code). */
export type RopeStyle = 'half' | 'interleaved';

export const ROPE_STYLES: readonly RopeStyle[] = ['half', 'interleaved'];

/** How frequencies were changed for contexts longer than a model was first trained on; names and numbers are those of `config.json`. */
export type RopeScaling =
  | { readonly type: 'linear'; readonly factor: number }
  | {
      readonly type: 'llama3';
      readonly factor: number;
      readonly lowFreqFactor: number;
      readonly highFreqFactor: number;
      /** Tokens of the first training: `original_max_position_embeddings`. */
      readonly originalContext: number;
    }
  | {
      readonly type: 'yarn';
      readonly factor: number;
      readonly originalContext: number;
      /** Turns over the original context from which on a frequency stays. Default 32. */
      readonly betaFast?: number;
      /** Turns over the original context up to which it is divided by the factor. Default 1. */
      readonly betaSlow?: number;
      /** Whether the two borders are rounded to whole pairs, outwards (gpt-oss: not). Default true. */
      readonly truncate?: boolean;
      /** What rotated elements are multiplied by. Default 0.1 ln(factor) + 1. */
      readonly attentionFactor?: number;
    }
  | {
      /** Phi-3's and Phi-4-mini's. */
      readonly type: 'longrope';
      /** What each pair's frequency is divided by where there are at most `originalContext` positions: [rotaryDim / 2], above 0. */
      readonly shortFactor: readonly number[];
      /** The same where there are more. */
      readonly longFactor: readonly number[];
      /** How many times the original context the model takes. */
      readonly factor: number;
      readonly originalContext: number;
      /** What rotated elements are multiplied by, by either list. Default sqrt(1 + ln(factor) / ln(originalContext)), of a factor up to 1: 1. */
      readonly attentionFactor?: number;
    };

/** How rows are turned. */
export interface RopeFormat {
  /** D, elements of a row. */
  readonly headDim: number;
  /** Elements of a row that are turned, the first ones: an even number from 2 to D. Default D. */
  readonly rotaryDim?: number;
  /** Which elements are pairs. Default half. */
  readonly style?: RopeStyle;
  /** The base of the frequencies: pair i turns by base^(-2i / rotaryDim) for each position, before scaling. Default 10000. */
  readonly base?: number;
  /** Default none. */
  readonly scaling?: RopeScaling;
}

/** The fields of RopeFormat. */
export const ROPE_FORMAT = {
  headDim: true,
  rotaryDim: true,
  style: true,
  base: true,
  scaling: true,
} satisfies Known<RopeFormat>;

/** What pairs turn by. */
export interface RopeFrequencies {
  /** Radians of each pair for each position: [rotaryDim / 2]. */
  readonly frequencies: Float64Array;
  /** What rotated elements are multiplied by: 1, but for YaRN and LongRoPE. */
  readonly attentionFactor: number;
}

/**
 * The frequencies of a row's pairs in float64. Throws ShapeError naming the field, what it must be and what was given; the
 * head dim is not looked at but for `rotaryDim`.
 * @param positions how many there may be, which LongRoPE's frequencies depend on: those of all keys in a cache have to be the same, so its
 * capacity decides and not the length that a text has come to. Default: no more than the original context.
 */
export function ropeFrequencies(format: RopeFormat, positions = 0): RopeFrequencies {
  const { rotaryDim, base, scaling } = checkRopeFormat('rope', format);
  const plain = Float64Array.from({ length: rotaryDim / 2 }, (_, i) => base ** ((-2 * i) / rotaryDim));
  if (!scaling) return { frequencies: plain, attentionFactor: 1 };
  if (scaling.type === 'linear') {
    return { frequencies: plain.map((frequency) => frequency / scaling.factor), attentionFactor: 1 };
  }
  if (scaling.type === 'llama3') {
    return { frequencies: plain.map((frequency) => llama3(frequency, scaling)), attentionFactor: 1 };
  }
  return scaling.type === 'yarn' ? yarn(plain, base, scaling) : longRope(plain, scaling, positions);
}

type Llama3 = Extract<RopeScaling, { type: 'llama3' }>;
type Yarn = Extract<RopeScaling, { type: 'yarn' }>;
type LongRope = Extract<RopeScaling, { type: 'longrope' }>;

/** Keeps frequencies with many turns over the original context, divides those with few, and goes from one to the other in between. */
function llama3(
  frequency: number,
  { factor, lowFreqFactor, highFreqFactor, originalContext }: Llama3,
): number {
  const turns = (originalContext * frequency) / (2 * Math.PI);
  const kept = clamp01((turns - lowFreqFactor) / (highFreqFactor - lowFreqFactor));
  return kept * frequency + ((1 - kept) * frequency) / factor;
}

/** The same with a ramp over the pairs' numbers. */
function yarn(plain: Float64Array, base: number, scaling: Yarn): RopeFrequencies {
  const { factor, originalContext, betaFast = 32, betaSlow = 1, truncate = true } = scaling;
  const { attentionFactor = factor > 1 ? 0.1 * Math.log(factor) + 1 : 1 } = scaling;
  const dim = plain.length * 2;
  /** The pair, as a fraction, that turns so often over the original context. */
  const pairOf = (turns: number) =>
    (dim * Math.log(originalContext / (turns * 2 * Math.PI))) / (2 * Math.log(base));
  const [first, last] = [pairOf(betaFast), pairOf(betaSlow)];
  const low = Math.max(truncate ? Math.floor(first) : first, 0);
  const high = Math.min(truncate ? Math.ceil(last) : last, dim - 1);
  const width = high === low ? 0.001 : high - low;
  const frequencies = plain.map((frequency, i) => {
    const divided = clamp01((i - low) / width);
    return (1 - divided) * frequency + (divided * frequency) / factor;
  });
  return { frequencies, attentionFactor };
}

/** Divides each frequency by a factor of its own. */
function longRope(plain: Float64Array, scaling: LongRope, positions: number): RopeFrequencies {
  const { shortFactor, longFactor, factor, originalContext } = scaling;
  const usual = factor > 1 ? Math.sqrt(1 + Math.log(factor) / Math.log(originalContext)) : 1;
  const factors = positions > originalContext ? longFactor : shortFactor;
  return {
    frequencies: plain.map((frequency, i) => frequency / factors[i]!),
    attentionFactor: scaling.attentionFactor ?? usual,
  };
}

function clamp01(x: number): number {
  return Math.min(Math.max(x, 0), 1);
}

/** Positions in the finer of the two tables; a power of two. */
export const ROPE_LOW = 512;

/** Most positions that tables are made for. */
export const MAX_POSITIONS = 2 ** 24;

/**
 * Cosines and sines of all turns up to `positions`, as pairs of f32: [512, rotaryDim / 2] for the positions below 512, then
 * [positions / 512, rotaryDim / 2] for its multiples, multiplied by the attention factor. The product of two as complex numbers
 * is the turn of a position's sum, within 2.5e-7: angles are float64 until they are cosines, and no device's own are used.
 */
export function ropeTable(
  { frequencies, attentionFactor }: RopeFrequencies,
  positions: number,
): Float32Array<ArrayBuffer> {
  const pairs = frequencies.length;
  const table = new Float32Array(ropeTableBytes(2 * pairs, positions) / 4);
  const fill = (first: number, rows: number, step: number, factor: number) => {
    for (let row = 0; row < rows; row++) {
      for (let pair = 0; pair < pairs; pair++) {
        const at = 2 * ((first + row) * pairs + pair);
        const angle = row * step * frequencies[pair]!;
        table[at] = factor * Math.cos(angle);
        table[at + 1] = factor * Math.sin(angle);
      }
    }
  };
  fill(0, ROPE_LOW, 1, 1);
  fill(ROPE_LOW, Math.ceil(positions / ROPE_LOW), ROPE_LOW, attentionFactor);
  return table;
}

/** Bytes of that. */
export function ropeTableBytes(rotaryDim: number, positions: number): number {
  return (ROPE_LOW + Math.ceil(positions / ROPE_LOW)) * rotaryDim * 4;
}

type CheckedRope = Required<Omit<RopeFormat, 'scaling'>> & Pick<RopeFormat, 'scaling'>;

/** Fills in what was left out. Throws ShapeError, with `where` in front, for what no rows can be turned by. */
export function checkRopeFormat(where: string, format: RopeFormat): CheckedRope {
  checkOptions(where, format, ROPE_FORMAT);
  const { headDim, rotaryDim = headDim, style = 'half', base = 10000, scaling } = format;
  checkWhole(`${where}: headDim`, headDim, 2, Number.MAX_SAFE_INTEGER);
  if (!Number.isSafeInteger(rotaryDim) || rotaryDim < 2 || rotaryDim > headDim || rotaryDim % 2 !== 0) {
    const wanted = `an even number from 2 to the head dim of ${headDim}`;
    throw new ShapeError(`${where}: rotaryDim: expected ${wanted}, got ${describe(rotaryDim)}`);
  }
  checkOneOf(`${where}: style`, style, ROPE_STYLES);
  checkAbove(`${where}: base`, base, 1);
  if (scaling !== undefined) checkScaling(`${where}: scaling`, scaling, rotaryDim / 2);
  return { headDim, rotaryDim, style, base, ...(scaling ? { scaling } : {}) };
}

const SCALING_FIELDS = {
  linear: { type: true, factor: true },
  llama3: { type: true, factor: true, lowFreqFactor: true, highFreqFactor: true, originalContext: true },
  yarn: {
    type: true,
    factor: true,
    originalContext: true,
    betaFast: true,
    betaSlow: true,
    truncate: true,
    attentionFactor: true,
  },
  longrope: {
    type: true,
    factor: true,
    originalContext: true,
    shortFactor: true,
    longFactor: true,
    attentionFactor: true,
  },
} satisfies { [T in RopeScaling['type']]: Known<Extract<RopeScaling, { type: T }>> };

function checkScaling(where: string, scaling: RopeScaling, pairs: number): void {
  if (!isObject(scaling)) {
    throw new ShapeError(`${where}: expected an object with a type, got ${describe(scaling)}`);
  }
  checkOneOf(`${where}: type`, scaling.type, ['linear', 'llama3', 'yarn', 'longrope'] as const);
  checkOptions(where, scaling, SCALING_FIELDS[scaling.type]);
  checkAbove(`${where}: factor`, scaling.factor, 0);
  if (scaling.type === 'linear') return;
  checkAbove(`${where}: originalContext`, scaling.originalContext, 0);
  if (scaling.type === 'llama3') {
    checkAbove(`${where}: lowFreqFactor`, scaling.lowFreqFactor, 0);
    checkAbove(`${where}: highFreqFactor`, scaling.highFreqFactor, scaling.lowFreqFactor);
  } else if (scaling.type === 'longrope') {
    const { originalContext, shortFactor, longFactor, attentionFactor = 1 } = scaling;
    checkAbove(`${where}: originalContext`, originalContext, 1);
    checkFactors(`${where}: shortFactor`, shortFactor, pairs);
    checkFactors(`${where}: longFactor`, longFactor, pairs);
    checkAbove(`${where}: attentionFactor`, attentionFactor, 0);
  } else {
    const { betaFast = 32, betaSlow = 1, truncate = true, attentionFactor = 1 } = scaling;
    checkBoolean(`${where}: truncate`, truncate);
    checkAbove(`${where}: betaSlow`, betaSlow, 0);
    checkAbove(`${where}: betaFast`, betaFast, betaSlow);
    checkAbove(`${where}: attentionFactor`, attentionFactor, 0);
  }
}

/** Throws ShapeError unless these are numbers above 0, one for each pair. */
export function checkFactors(where: string, factors: unknown, pairs: number): asserts factors is number[] {
  const count = Array.isArray(factors) ? factors.length : undefined;
  if (count !== pairs) {
    const got = count === undefined ? describe(factors) : `${count}`;
    throw new ShapeError(`${where}: expected ${pairs} numbers, one for each pair that is turned, got ${got}`);
  }
  (factors as unknown[]).forEach((factor, i) => checkAbove(`${where}: pair ${i}`, factor as number, 0));
}

function checkAbove(where: string, value: number, bound: number): void {
  checkFinite(where, value);
  if (value <= bound) throw new ShapeError(`${where}: expected more than ${bound}, got ${value}`);
}

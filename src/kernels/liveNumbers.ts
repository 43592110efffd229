// liveNumbers.ts: how many registers an invocation of decode_registers needs, by the sizes of its variant: estimated from what compilers made of it.
import { ELEMENT_FORMATS, type KvType, rowWords } from '../numbers/elements.ts';
import type { RegistersVariant } from './decodeRegisters.ts';
import { addsByDistance, hides } from './features.ts';
import { laneWords, type LaneWords } from './laneWords.ts';
import type { CacheFormat } from './lib.ts';
import type { GqaShape } from './shape.ts';
import { isPowerOfTwo } from './sizes.ts';

/** What of a variant decides how many registers an invocation needs. */
export type RegisterSizes = Pick<RegistersVariant, 'lanes' | 'tokens' | 'teamRows' | 'q'>;

/** An invocation's part of a row of K or of V. */
interface RowPart extends LaneWords {
  readonly type: KvType;
  /** Words of the whole row, and its elements. */
  readonly rowWords: number;
  readonly dim: number;
  /** 32-bit numbers of the invocation's words. */
  readonly u32s: number;
}

/** What an invocation has of a row of K and of V. */
interface Parts {
  readonly k: RowPart;
  readonly v: RowPart;
}

/** The parts of a team of so many lanes. */
export function partsOf(
  { headDim, vHeadDim }: GqaShape,
  { kType, vType }: CacheFormat,
  lanes: number,
): Parts {
  return { k: partOf(kType, headDim, lanes), v: partOf(vType, vHeadDim, lanes) };
}

function partOf(type: KvType, dim: number, lanes: number): RowPart {
  // Field by field, since a spread takes twenty times as long, and choosing sizes calls this most.
  const { bytes, words, vec4s } = laneWords(type, dim, lanes);
  return { bytes, words, vec4s, type, dim, rowWords: rowWords(type, dim, bytes), u32s: (words * bytes) / 4 };
}

/** Elements of the longer rows, those of K or of V: the shorter ones may leave lanes without any. */
export function widthOf({ headDim, vHeadDim }: GqaShape): number {
  return Math.max(headDim, vHeadDim);
}

/** Live through the loop of a step with several positions, or with other hidden keys: what the rounds with hidden keys behind it need. */
const MASKED_NUMBERS = 8;

/** Rows so short leave room for more rows and keys, of which there is more to keep than is counted: Intel's compiler spilled. */
const SHORT_ROW = 64;
const SHORT_NUMBERS = 8;

/**
 * 32-bit numbers of an invocation that are live at the widest point of the loop: o, q or what is read of it at a time, the
 * words of a round's keys, the scores. `loadsVWithK` as in the profile: such compilers also read q in one go.
 */
export function liveNumbers(
  shape: GqaShape,
  cache: CacheFormat,
  sizes: RegisterSizes,
  loadsVWithK: boolean,
): number {
  const { tokens, teamRows, q } = sizes;
  const { k, v } = partsOf(shape, cache, sizes.lanes);
  // Words are loaded one by one then, as far as the compiler lets them be.
  const late = q === 'workgroup' && !loadsVWithK;
  const early = ({ u32s, words }: RowPart) => (late ? (u32s + u32s / words) / 2 : u32s);
  const loads = loadsVWithK ? k.u32s + v.u32s : Math.max(early(k), early(v));
  // f32 needs no unpacking; compilers begin with the next vectors of a long word.
  const ahead = k.vec4s / k.words > 2 ? 6 : 4;
  const unpacked = k.type === 'f32' && v.type === 'f32' ? 0 : ahead * tokens;
  const query = late ? 4 + unpacked : teamRows * 4 * k.vec4s + 4;
  const masked = (shape.causal && shape.qLen > 1) || hides(shape);
  const short = widthOf(shape) < SHORT_ROW ? SHORT_NUMBERS : 0;
  return (
    teamRows * 4 * v.vec4s +
    query +
    tokens * (loads + teamRows) +
    (masked ? MASKED_NUMBERS : 0) +
    short +
    (loadsVWithK ? quantisedNumbers(k, sizes) : placeNumbers(shape, cache, { k, v }, sizes, masked, late))
  );
}

function isScaled({ type }: RowPart): boolean {
  return ELEMENT_FORMATS[type].scale !== 'none';
}

/** Sums without zeros, and scales, where all of it is done early. */
function quantisedNumbers(k: RowPart, { teamRows }: RegisterSizes): number {
  return isScaled(k) ? 2 * teamRows * k.vec4s : 0;
}

/**
 * What it takes to know where words and scales of a round's keys lie, and what is added to their scores. Found by compiling for Intel,
 * where it decides: variants of this size spilled without.
 */
function placeNumbers(
  shape: GqaShape,
  { pageSize, ring }: CacheFormat,
  { k, v }: Parts,
  { lanes, tokens, teamRows }: RegisterSizes,
  masked: boolean,
  late: boolean,
): number {
  const scaled = isScaled(k);
  // The way to a second word that lanes past the row's end do not have, and the lane where each key's place is looked up.
  const unevenParts = [k, v].filter(({ words, rowWords: all }) => words > 1 && words * lanes !== all).length;
  const shifted = pageSize !== undefined || ring !== undefined;
  const uneven = unevenParts + (unevenParts > 0 && shifted ? 1 : 0);
  // Places of K are those of V too, where their rows have as many words.
  const apart = k.rowWords === v.rowWords ? 0 : 3;
  const blocks = Math.max(blockNumbers(k), blockNumbers(v));
  // Of K's zero, where it is not one for each row; and vectors of q beyond four, which are read ahead where K takes few registers.
  const zeros = scaled && k.words > 1 ? teamRows * k.words : 0;
  const readAhead = scaled && late ? 2 * Math.max(0, teamRows * k.vec4s - 4) : 0;
  const scales = isScaled(v) === scaled ? 0 : 1;
  const placed = placedNumbers(shape, masked, scaled || isScaled(v), late);
  return uneven + apart + zeros + readAhead + scales + tokens * (blocks + placed);
}

/** Of a key's scales, one for each word, where they are found by dividing by what is no power of two. */
function blockNumbers({ type, words, dim }: RowPart): number {
  if (ELEMENT_FORMATS[type].scale !== 'block') return 0;
  return isPowerOfTwo(rowWords(type, dim)) ? 0 : 2 * words;
}

/**
 * Of each key of a round whose place features look at: that place, what they add by it, where its scale lies. Masked rounds have room
 * for them where there are no scales.
 */
function placedNumbers(shape: GqaShape, masked: boolean, scaled: boolean, late: boolean): number {
  if (!hides(shape) && !addsByDistance(shape)) return 0;
  if (masked) return scaled ? 3 : 0;
  return late ? 3 : 2;
}

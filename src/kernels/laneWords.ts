// laneWords.ts: how a row of K or V is dealt to the invocations of a team.
import {
  ELEMENT_FORMATS,
  rowWords,
  type KvType,
  WORD_BYTES,
  type WordBytes,
  wordVec4s,
} from '../numbers/elements.ts';

/** What an invocation holds of a row. */
export interface LaneWords {
  /** Bytes that it loads at once. */
  readonly bytes: WordBytes;
  /** Such words, the last of which may lie past the row's end. */
  readonly words: number;
  /** Vectors of four elements in all of them. */
  readonly vec4s: number;
}

/** Elements of rows beyond which those past a row's end cost registers that are not there (Intel's spilled at D 192 and 320). */
const LONG_ROW = 128;

/**
 * An invocation's part of a row that a team of `lanes` shares, in the widest words that leave every lane of the team one, but
 * of four elements at least. Of long rows narrower ones, where fewer elements lie past the row's end then.
 */
export function laneWords(type: KvType, headDim: number, lanes: number): LaneWords {
  const least = Math.max(4, ELEMENT_FORMATS[type].bits / 2);
  let part = partOf(type, headDim, lanes, WORD_BYTES);
  while (part.bytes > least) {
    const narrower = partOf(type, headDim, lanes, (part.bytes / 2) as WordBytes);
    const idle = rowWords(type, headDim, part.bytes) < lanes;
    if (!idle && (headDim <= LONG_ROW || narrower.vec4s === part.vec4s)) break;
    part = narrower;
  }
  return part;
}

function partOf(type: KvType, headDim: number, lanes: number, bytes: WordBytes): LaneWords {
  const words = Math.ceil(rowWords(type, headDim, bytes) / lanes);
  return { bytes, words, vec4s: words * wordVec4s(type, bytes) };
}

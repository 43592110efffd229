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
  /** Bytes that it loads at once: as many as leave every lane of the team a word, but four elements at least. */
  readonly bytes: WordBytes;
  /** Such words, the last of which may lie past the row's end. */
  readonly words: number;
  /** Vectors of four elements in all of them. */
  readonly vec4s: number;
}

/** An invocation's part of a row that a team of `lanes` shares. */
export function laneWords(type: KvType, headDim: number, lanes: number): LaneWords {
  const least = Math.max(4, ELEMENT_FORMATS[type].bits / 2);
  let bytes: WordBytes = WORD_BYTES;
  while (bytes > least && rowWords(type, headDim, bytes) < lanes) bytes = (bytes / 2) as WordBytes;
  const words = Math.ceil(rowWords(type, headDim, bytes) / lanes);
  return { bytes, words, vec4s: words * wordVec4s(type, bytes) };
}

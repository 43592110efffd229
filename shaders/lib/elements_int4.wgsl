// lib elements_int4: a cache of 4-bit integers with a scale per 16 bytes (lib scales_block): four bits hold element / scale + 8.
// Linked for K and for V, as k_* and v_*, with words of any size: one of words_*. A row ends with 16 whole bytes, whatever its
// head dim.
//
// A GPU's way: the eight elements of a u32 are two u32s of bytes, which are converted as they are, one instruction each; the
// kernel takes ZERO off its sums.

const ROW_WORDS = (ROW_DIM + 31u) / 32u * 4u / WORD_U32S;
const ZERO = 8.0;

// Elements 4i .. 4i + 3 of a word: ZERO more than they are, and without the scale.
fn unpack(word: Word, i: u32) -> vec4<f32> {
  let bits = word_u32(word, i / 2u);
  let even = (bits & 0x0f0f0f0fu) >> (16u * (i % 2u));
  let odd = ((bits >> 4u) & 0x0f0f0f0fu) >> (16u * (i % 2u));
  return vec4<f32>(vec4<u32>(even & 0xffu, odd & 0xffu, (even >> 8u) & 0xffu, (odd >> 8u) & 0xffu));
}

// lib elements_int8: a cache of 8-bit integers with a scale per row (lib scales_row): a byte holds element / scale + 128.
// Linked for K and for V, as k_* and v_*, with words of any size: one of words_*.
//
// A GPU's way: bytes are converted as they are, one instruction each, and the kernel takes ZERO off its sums.

const ROW_WORDS = (ROW_DIM + 15u) / 16u * 4u / WORD_U32S;
const ZERO = 128.0;

// Elements 4i .. 4i + 3 of a word: ZERO more than they are, and without the row's scale.
fn unpack(word: Word, i: u32) -> vec4<f32> {
  return vec4<f32>((vec4<u32>(word_u32(word, i)) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(0xffu));
}

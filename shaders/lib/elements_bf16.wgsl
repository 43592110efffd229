// lib elements_bf16: a cache of bfloat16 elements, the upper halves of f32.
// Linked for K and for V, as k_* and v_*, with words of 8 bytes or more: one of words_*.

const ROW_WORDS = ROW_DIM / 2u / WORD_U32S;
const ZERO = 0.0;

// Elements 4i .. 4i + 3 of a word.
fn unpack(word: Word, i: u32) -> vec4<f32> {
  let low = word_u32(word, 2u * i);
  let high = word_u32(word, 2u * i + 1u);
  return bitcast<vec4<f32>>(vec4<u32>(low << 16u, low & 0xffff0000u, high << 16u, high & 0xffff0000u));
}

// lib elements_int8_bits: a cache of 8-bit integers with a scale per row (lib scales_row): a byte holds element / scale + 128.
// Linked for K and for V, as k_* and v_*, with words of any size: one of words_*.
//
// A CPU's way: an f32 is made of bits, 2^23 + byte, because an integer conversion costs many times an addition there.

const ROW_WORDS = (ROW_DIM + 15u) / 16u * 4u / WORD_U32S;
const ZERO = 0.0;

// Elements 4i .. 4i + 3 of a word, without the row's scale.
fn unpack(word: Word, i: u32) -> vec4<f32> {
  let bytes = (vec4<u32>(word_u32(word, i)) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(0xffu);
  return bitcast<vec4<f32>>(bytes | vec4<u32>(0x4b000000u)) - vec4<f32>(8388736.0);
}

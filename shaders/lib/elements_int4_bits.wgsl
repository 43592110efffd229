// lib elements_int4_bits: a cache of 4-bit integers with a scale per 16 bytes (lib scales_block): four bits hold
// element / scale + 8. Linked for K and for V, as k_* and v_*, with words of any size: one of words_*. A row ends with 16 whole
// bytes, whatever its head dim.
//
// A CPU's way: an f32 is made of bits, 2^23 + element, because an integer conversion costs many times an addition there.

const ROW_WORDS = (ROW_DIM + 31u) / 32u * 4u / WORD_U32S;
const ZERO = 0.0;

// Elements 4i .. 4i + 3 of a word, without the scale.
fn unpack(word: Word, i: u32) -> vec4<f32> {
  let bits = word_u32(word, i / 2u) >> (16u * (i % 2u));
  let values = (vec4<u32>(bits) >> vec4<u32>(0u, 4u, 8u, 12u)) & vec4<u32>(0xfu);
  return bitcast<vec4<f32>>(values | vec4<u32>(0x4b000000u)) - vec4<f32>(8388616.0);
}

// lib elements_f32: a cache of f32 elements. Linked for K and for V, as k_* and v_*, with words of 16 bytes.

const ROW_WORDS = ROW_DIM / 4u;
const ZERO = 0.0;

// Elements 4i .. 4i + 3 of a word.
fn unpack(word: Word, i: u32) -> vec4<f32> {
  return bitcast<vec4<f32>>(word);
}

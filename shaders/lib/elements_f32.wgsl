// lib elements_f32: a cache of f32 elements: 4 to a word of 16 bytes. Linked for K and for V, as k_* and v_*.

const WORD_VEC4S = 1u;
const ROW_WORDS = HEAD_DIM / 4u;

// Elements 4i .. 4i + 3 of a word.
fn unpack(word: vec4<u32>, i: u32) -> vec4<f32> {
  return bitcast<vec4<f32>>(word);
}

fn row_scale(scales: u32, row: u32) -> f32 {
  return 1.0;
}

fn word_scale(scales: u32, row: u32, word: u32) -> f32 {
  return 1.0;
}

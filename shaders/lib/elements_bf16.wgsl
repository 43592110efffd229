// lib elements_bf16: a cache of bfloat16 elements, the upper halves of f32: 8 to a word of 16 bytes.
// Linked for K and for V, as k_* and v_*.

const WORD_VEC4S = 2u;
const ROW_WORDS = HEAD_DIM / 8u;

// Elements 4i .. 4i + 3 of a word.
fn unpack(word: vec4<u32>, i: u32) -> vec4<f32> {
  let pair = select(word.zw, word.xy, i == 0u);
  return bitcast<vec4<f32>>(vec4<u32>(pair.x << 16u, pair.x & 0xffff0000u, pair.y << 16u, pair.y & 0xffff0000u));
}

fn row_scale(scales: u32, row: u32) -> f32 {
  return 1.0;
}

fn word_scale(scales: u32, row: u32, word: u32) -> f32 {
  return 1.0;
}
